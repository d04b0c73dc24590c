"""Where slices lie: what is a stack, and what is a hole in one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from core.errors import IrregularSeriesError
from dicom_node.objects.slice_positions import SliceStack, stack_of


def _stack(heights_mm: list[float]) -> SliceStack:
    positions = np.zeros((len(heights_mm), 3))
    positions[:, 2] = heights_mm
    return stack_of(positions, np.array([0.0, 0.0, 1.0]))


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_slices_that_were_lost_inside_are_never_taken_for_another_spacing(lost: int) -> None:
    """Every way to lose up to three of fourteen slices, the first and the last excepted."""
    for gone in combinations(range(1, 13), lost):
        with pytest.raises(IrregularSeriesError, match="slice is missing"):
            _stack([3.0 * k for k in range(14) if k not in gone])


# Not the sixth: without it the wide zone is one gap longer, and nobody can know.
@pytest.mark.parametrize("gone", [1, 2, 3, 4, 5, 7, 8, 9, 10, 11])
def test_a_slice_lost_in_a_series_of_two_zones_is_missed_in_either(gone: int) -> None:
    zones = [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 27.5, 30.0, 32.5, 35.0, 37.5, 40.0, 42.5]
    assert _stack(zones).offsets_mm is not None
    with pytest.raises(IrregularSeriesError, match="slice is missing"):
        _stack(zones[:gone] + zones[gone + 1 :])


def test_the_gap_between_two_zones_hides_no_slice_of_either() -> None:
    with pytest.raises(IrregularSeriesError, match=r"between 20\.00 and 27\.50 mm"):
        _stack([0.0, 5.0, 10.0, 15.0, 20.0, 27.5, 30.0, 32.5, 35.0, 37.5])


def test_order_and_spacing_come_from_the_positions() -> None:
    stack = _stack([6.0, 0.0, 9.0, 3.0])
    assert stack.order.tolist() == [1, 3, 0, 2]
    assert stack.spacing_mm == 3.0
    assert stack.offsets_mm is None
