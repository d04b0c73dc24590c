"""Sampling against dose grids with a known answer."""

import dataclasses

import numpy as np
import pytest

from core.errors import GeometryMismatchError
from core.geometry import Points
from core.volume import Volume
from dose.grid import dose_on, sample_dose
from tests.dose.grids import ball, centred, centres_mm, filled, grid, turned

CT = centred((30, 80, 80), (3.0, 1.0, 1.0))


def ramp(points_mm: Points) -> Points:
    """20 Gy in the middle, a different slope along each axis."""
    return np.asarray(20.0 + points_mm @ np.array([0.05, -0.03, 0.02]))


def gaussian(points_mm: Points) -> Points:
    return np.asarray(50.0 * np.exp(-(points_mm**2).sum(axis=-1) / (2 * 30.0**2)))


def test_a_linear_ramp_is_exact_at_every_voxel() -> None:
    mask = ball(CT, 30.0)
    sampled = sample_dose(filled(centred((50, 53, 41), (2.5, 2.5, 2.5)), ramp), CT, mask)
    assert sampled.inside.all()
    np.testing.assert_allclose(sampled.values_gy, ramp(centres_mm(CT)[mask]), rtol=1e-12)


def test_a_ramp_on_a_turned_dose_grid_is_exact_too() -> None:
    mask = ball(CT, 30.0)
    turned_grid = centred((50, 53, 51), (2.5, 2.5, 2.5), turned(17.0))
    sampled = sample_dose(filled(turned_grid, ramp), CT, mask)
    assert sampled.inside.all()
    np.testing.assert_allclose(sampled.values_gy, ramp(centres_mm(CT)[mask]), rtol=1e-12)


def test_the_general_way_equals_the_separable_way() -> None:
    """The same dose stored with its axes exchanged is the same dose, by the other path."""
    mask = ball(CT, 30.0)
    dose = filled(grid((30, 33, 31), (2.5, 2.0, 2.2), (-35.0, -20.0, -38.0)), gaussian)
    slices, rows, columns = dose.geometry.directions
    exchanged = grid((31, 30, 33), (2.2, 2.5, 2.0), (-35.0, -20.0, -38.0), (columns, slices, rows))
    by_separable = sample_dose(dose, CT, mask)
    by_general = sample_dose(Volume(np.moveaxis(dose.values, 2, 0), exchanged), CT, mask)
    assert 0.3 < by_separable.coverage < 1.0
    np.testing.assert_array_equal(by_separable.inside, by_general.inside)
    np.testing.assert_allclose(by_separable.values_gy, by_general.values_gy, rtol=1e-12)


def test_both_ways_agree_on_what_is_covered_by_half_a_grid() -> None:
    mask = ball(CT, 30.0)
    half = grid((50, 53, 53), (2.5, 2.5, 2.5), (0.0, -65.0, -60.0))
    turned_half = dataclasses.replace(half, directions=turned(0.05))
    straight = sample_dose(filled(half, ramp), CT, mask)
    general = sample_dose(filled(turned_half, ramp), CT, mask)
    assert straight.coverage == pytest.approx(0.5, abs=1e-6)
    assert general.coverage == pytest.approx(straight.coverage, abs=2e-3)
    assert (straight.inside & ~general.inside).sum() < 0.002 * mask.sum()


def test_voxels_beyond_the_last_dose_centre_are_outside_and_carry_no_value() -> None:
    ct = grid((1, 1, 5), (1.0, 1.0, 1.0))
    dose = filled(grid((1, 1, 2), (1.0, 1.0, 2.0), (1.0, 0.0, 0.0)), lambda p: p[..., 0])
    sampled = sample_dose(dose, ct, np.ones(ct.shape, bool))
    assert sampled.inside.tolist() == [False, True, True, True, False]
    assert sampled.values_gy.tolist() == [1.0, 2.0, 3.0]


def test_a_slice_written_a_rounding_error_off_the_rim_is_covered() -> None:
    ct = grid((3, 4, 4), (2.0, 1.0, 1.0), (0.0, 0.0, 2e-6))
    dose = filled(grid((3, 4, 4), (2.0, 1.0, 1.0)), ramp)
    assert sample_dose(dose, ct, np.ones(ct.shape, bool)).inside.all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_index_that_runs_the_other_way_changes_nothing(axis: int) -> None:
    """Readers hand over canonical grids; a flipped one must still be read by its directions."""
    mask = ball(CT, 30.0)
    dose = filled(centred((50, 53, 41), (2.5, 2.5, 2.5)), gaussian)
    directions = list(dose.geometry.directions)
    x, y, z = directions[axis]
    directions[axis] = (-x, -y, -z)
    other = centred((50, 53, 41), (2.5, 2.5, 2.5), (directions[0], directions[1], directions[2]))
    flipped = dataclasses.replace(dose, values=np.flip(dose.values, axis), geometry=other)
    np.testing.assert_allclose(
        sample_dose(flipped, CT, mask).values_gy, sample_dose(dose, CT, mask).values_gy, rtol=1e-12
    )


def test_dose_on_another_frame_of_reference_is_refused() -> None:
    dose = filled(centred((10, 10, 10), (5.0, 5.0, 5.0)), ramp)
    elsewhere = dataclasses.replace(dose.geometry, frame_of_reference_uid="1.2.9")
    with pytest.raises(GeometryMismatchError, match="Frame of Reference"):
        sample_dose(dataclasses.replace(dose, geometry=elsewhere), CT, ball(CT, 10.0))


def test_a_mask_of_another_shape_is_refused() -> None:
    dose = filled(centred((10, 10, 10), (5.0, 5.0, 5.0)), ramp)
    with pytest.raises(GeometryMismatchError, match="shape"):
        sample_dose(dose, CT, np.ones((2, 2, 2), bool))


@pytest.mark.parametrize("turn_degrees", [0.0, 12.0])
def test_dose_is_taken_at_the_true_places_of_uneven_slices(turn_degrees: float) -> None:
    dose = filled(centred((30, 30, 30), (2.5, 2.5, 2.5), turned(turn_degrees)), ramp)
    offsets = (0.0, 5.0, 10.0, 12.5, 15.0, 16.0, 21.0)
    ct = dataclasses.replace(
        grid((7, 9, 8), (3.5, 2.0, 2.0), (-7.0, -8.0, -11.0)), slice_offsets_mm=offsets
    )
    mask = np.ones(ct.shape, bool)
    mask[0], mask[4, 3] = False, False
    sampled = sample_dose(dose, ct, mask)
    assert np.allclose(sampled.values_gy, ramp(centres_mm(ct)[mask]))


def test_an_uneven_dose_grid_is_refused() -> None:
    uneven = dataclasses.replace(grid((3, 4, 4), (2.0, 2.0, 2.0)), slice_offsets_mm=(0.0, 1.0, 4.0))
    with pytest.raises(GeometryMismatchError, match="not evenly spaced"):
        sample_dose(filled(uneven, ramp), uneven, np.ones(uneven.shape, bool))


def test_a_dose_on_a_grid_is_nan_exactly_where_the_dose_grid_ends() -> None:
    small = centred((10, 12, 14), (2.5, 2.5, 2.5))
    wide = dataclasses.replace(small, shape=(12, 12, 15))
    values = dose_on(filled(small, ramp), wide)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values[:10, :, :14], ramp(centres_mm(small)), rtol=1e-6)
    assert np.isnan(values[10:]).all()
    assert np.isnan(values[:, :, 14:]).all()
