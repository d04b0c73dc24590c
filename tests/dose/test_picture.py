"""A dose as a screen gets it, against the dose at every voxel."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from core.errors import GeometryMismatchError
from core.geometry import Points
from core.volume import Volume
from dose.grid import dose_on
from dose.picture import DosePicture, dose_picture
from tests.dose.grids import centred, filled, grid, turned

CT = centred((12, 40, 44), (3.0, 1.5, 1.2))


def hill(points_mm: Points) -> Points:
    return np.asarray(50.0 * np.exp(-(points_mm**2).sum(axis=-1) / (2 * 30.0**2)))


def shown(picture: DosePicture) -> Points:
    """Dose at every CT voxel as the screen interpolates it; NaN where nothing is known."""
    gray = picture.values.astype(np.float64)
    at = np.meshgrid(*picture.indices, indexing="ij")
    last = [size - 1 for size in gray.shape]
    outside = np.any(
        [(a < -1e-4) | (a > end + 1e-4) for a, end in zip(at, last, strict=True)], axis=0
    )
    clipped = [np.clip(a, 0, end) for a, end in zip(at, last, strict=True)]
    values = map_coordinates(gray, clipped, order=1)
    return np.asarray(np.where(outside, np.nan, values))


def test_a_parallel_grid_is_shown_as_it_is_and_interpolates_to_the_dose_of_every_voxel() -> None:
    dose = filled(grid((9, 21, 30), (2.5, 2.0, 2.2), (-35.0, -20.0, -15.0)), hill)
    picture = dose_picture(dose, CT)
    assert picture.values.shape == dose.values.shape
    expected = dose_on(dose, CT)
    assert 0.1 < np.isfinite(expected).mean() < 0.9
    np.testing.assert_allclose(shown(picture), expected, atol=1e-5)
    assert picture.is_exact


def test_a_turned_grid_is_brought_to_the_axes_of_the_ct() -> None:
    dose = filled(centred((50, 53, 51), (2.5, 2.5, 2.5), turned(17.0)), hill)
    picture = dose_picture(dose, CT)
    assert not picture.is_exact
    # Interpolated twice, on a grid as fine as its own.
    np.testing.assert_allclose(shown(picture), dose_on(dose, CT), atol=0.3)


def test_where_a_turned_grid_does_not_reach_nothing_is_shown_as_a_dose() -> None:
    dose = filled(grid((9, 9, 9), (2.5, 2.5, 2.5), (-10.0, -10.0, -10.0), turned(30.0)), hill)
    values = shown(dose_picture(dose, CT))
    covered = np.isfinite(dose_on(dose, CT))
    assert np.isnan(values[~covered]).mean() > 0.99
    assert np.isfinite(values[covered]).any()


def test_a_dose_of_nothing_is_nothing() -> None:
    empty = Volume(np.zeros((4, 4, 4), np.float32), centred((4, 4, 4), (3.0, 3.0, 3.0)))
    assert not dose_picture(empty, CT).values.any()


def test_a_dose_in_another_frame_of_reference_is_refused() -> None:
    other = grid((4, 4, 4), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0))
    elsewhere = dataclasses.replace(other, frame_of_reference_uid="1.2.3")
    with pytest.raises(GeometryMismatchError, match="Frame of Reference differs"):
        dose_picture(Volume(np.zeros((4, 4, 4), np.float32), elsewhere), CT)
