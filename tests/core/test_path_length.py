"""Added path length: the outline that had to be drawn anew, with answers counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import GeometryMismatchError
from core.geometry import Mask, VolumeGeometry
from core.path_length import added_path_length_mm

# Slices 5 mm apart; rows 2 mm, columns 3 mm.
GEOMETRY = VolumeGeometry((4, 10, 10), (0.0, 0.0, 0.0), (5.0, 2.0, 3.0), "1.2")


def box(slices: slice, rows: slice, columns: slice) -> Mask:
    mask = np.zeros(GEOMETRY.shape, bool)
    mask[slices, rows, columns] = True
    return mask


NOTHING = np.zeros(GEOMETRY.shape, bool)
SQUARE = box(slice(1, 3), slice(2, 6), slice(3, 7))


def test_nothing_is_added_where_nothing_changed() -> None:
    assert added_path_length_mm(SQUARE, SQUARE, GEOMETRY) == 0.0


def test_a_structure_drawn_from_nothing_costs_its_whole_outline_on_every_slice() -> None:
    # 4 columns of 3 mm above and below, 4 rows of 2 mm left and right, two slices.
    assert added_path_length_mm(NOTHING, SQUARE, GEOMETRY) == 2 * (2 * 4 * 3.0 + 2 * 4 * 2.0)


def test_a_structure_taken_away_costs_nothing() -> None:
    assert added_path_length_mm(SQUARE, NOTHING, GEOMETRY) == 0.0


def test_only_the_side_that_was_moved_counts() -> None:
    """A column more on the right of one slice: its 4 rows, and its 1 column above and below."""
    wider = SQUARE | box(slice(1, 2), slice(2, 6), slice(7, 8))
    assert added_path_length_mm(SQUARE, wider, GEOMETRY) == 4 * 2.0 + 2 * 3.0


def test_a_side_moved_inwards_counts_where_it_lies_now() -> None:
    narrower = SQUARE & ~box(slice(1, 2), slice(2, 6), slice(6, 7))
    assert added_path_length_mm(SQUARE, narrower, GEOMETRY) == 4 * 2.0


def test_the_outline_along_the_border_of_the_image_counts_too() -> None:
    corner = box(slice(0, 1), slice(0, 1), slice(9, 10))
    assert added_path_length_mm(NOTHING, corner, GEOMETRY) == 2 * 3.0 + 2 * 2.0


def test_masks_on_another_grid_are_refused() -> None:
    with pytest.raises(GeometryMismatchError, match="Rasterise both"):
        added_path_length_mm(NOTHING, NOTHING[1:], GEOMETRY)
