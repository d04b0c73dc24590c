"""Grids are compared, never assumed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import GeometryMismatchError
from core.geometry import VolumeGeometry, require_same_grid
from core.resample import resample, working_grid
from core.volume import Volume

CT = VolumeGeometry((10, 64, 32), (5.0, -7.0, 100.0), (3.0, 1.0, 0.5), "1.2.3")


def test_the_same_grid_is_accepted() -> None:
    require_same_grid(CT, replace(CT))


def test_another_frame_of_reference_is_refused_with_the_remedy() -> None:
    with pytest.raises(GeometryMismatchError, match="Register the series first"):
        require_same_grid(CT, replace(CT, frame_of_reference_uid="9.9.9"))


def test_another_spacing_is_refused_with_the_remedy() -> None:
    with pytest.raises(GeometryMismatchError, match=r"core\.resample"):
        require_same_grid(CT, replace(CT, spacing_mm=(2.0, 1.0, 0.5)))


def test_index_order_is_slice_row_column_and_positions_are_lps() -> None:
    assert CT.index_to_mm((2, 3, 4)).tolist() == [5.0 + 2.0, -7.0 + 3.0, 100.0 + 6.0]
    assert np.allclose(CT.mm_to_index(CT.index_to_mm((2, 3, 4))), (2, 3, 4))


def test_a_geometry_survives_json() -> None:
    assert VolumeGeometry.from_json(CT.to_json()) == CT


def test_the_working_grid_covers_the_same_tissue() -> None:
    grid = working_grid(CT, (6.0, 2.0, 2.0))
    assert grid.shape == (5, 32, 8)
    assert np.allclose(grid.index_to_mm((-0.5,) * 3), CT.index_to_mm((-0.5,) * 3))


def test_resampling_a_linear_ramp_keeps_positions_true() -> None:
    slices, rows, columns = np.indices(CT.shape)
    x, y, z = np.moveaxis(CT.index_to_mm(np.stack([slices, rows, columns], -1)), -1, 0)
    ramp = Volume((2 * x - y + 0.5 * z).astype(np.float32), CT)
    grid = working_grid(CT, (6.0, 2.0, 2.0))
    moved = resample(ramp, grid, outside=0.0)
    at = grid.index_to_mm((2, 10, 4))
    assert moved.values[2, 10, 4] == pytest.approx(2 * at[0] - at[1] + 0.5 * at[2], abs=1e-3)
