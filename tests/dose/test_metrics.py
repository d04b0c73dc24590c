"""Mean dose against known answers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from core.geometry import Points
from core.volume import Volume
from dose.metrics import roi_dose
from tests.dose.grids import ball, centred, filled, grid, turned

CT = centred((30, 80, 80), (3.0, 1.0, 1.0))
DOSE_GRID = centred((50, 53, 41), (2.5, 2.5, 2.5))


def test_a_uniform_dose_is_mean_minimum_and_maximum() -> None:
    figures = roi_dose(filled(DOSE_GRID, lambda p: np.full(p.shape[:-1], 7.0)), ball(CT, 20.0), CT)
    found = (figures.mean_gy, figures.minimum_gy, figures.maximum_gy)
    assert found == pytest.approx((7.0, 7.0, 7.0), rel=1e-12)
    assert figures.coverage == 1.0


def test_the_volume_is_that_of_the_voxels_and_near_that_of_the_ball() -> None:
    mask = ball(CT, 30.0)
    volume_cc = roi_dose(filled(DOSE_GRID, lambda p: p[..., 0]), mask, CT).volume_cc
    assert volume_cc == pytest.approx(mask.sum() * 0.003)
    assert volume_cc == pytest.approx(4 / 3 * np.pi * 3.0**3, rel=0.01)


def test_the_mean_of_a_linear_ramp_is_the_dose_at_the_centre() -> None:
    dose = filled(DOSE_GRID, lambda p: 20.0 + p @ np.array([0.05, -0.03, 0.02]))
    assert roi_dose(dose, ball(CT, 30.0), CT).mean_gy == pytest.approx(20.0, rel=1e-12)


def test_the_mean_of_a_gaussian_dose_is_the_analytic_one_within_a_thousandth() -> None:
    radius_mm, sigma_mm = 40.0, 45.0
    fine = centred((90, 90, 90), (1.0, 1.0, 1.0))
    dose = filled(
        centred((44, 45, 43), (2.5, 2.5, 2.5), turned(0.0)),
        lambda p: 50.0 * np.exp(-(p**2).sum(axis=-1) / (2 * sigma_mm**2)),
    )
    weighted, _ = quad(lambda r: 50.0 * np.exp(-(r**2) / (2 * sigma_mm**2)) * r**2, 0, radius_mm)
    analytic_gy = weighted / (radius_mm**3 / 3)
    assert roi_dose(dose, ball(fine, radius_mm), fine).mean_gy == pytest.approx(
        analytic_gy, rel=1e-3
    )


def test_half_a_grid_gives_the_mean_of_the_covered_half_and_says_so() -> None:
    """Filling the rest with zero would halve the mean."""
    half = grid((50, 53, 20), (2.5, 2.5, 2.5), (0.0, -65.0, -60.0))

    def ten_gy(points_mm: Points) -> Points:
        return np.full(points_mm.shape[:-1], 10.0)

    figures = roi_dose(filled(half, ten_gy), ball(CT, 30.0), CT)
    assert figures.coverage == pytest.approx(0.5, abs=1e-6)
    assert figures.mean_gy == pytest.approx(10.0, rel=1e-12)
    assert figures.minimum_gy == pytest.approx(10.0, rel=1e-12)
    assert figures.volume_cc == roi_dose(filled(DOSE_GRID, ten_gy), ball(CT, 30.0), CT).volume_cc


def test_a_structure_the_grid_misses_has_a_volume_and_no_dose() -> None:
    away = grid((10, 10, 10), (2.5, 2.5, 2.5), (500.0, 0.0, 0.0))
    figures = roi_dose(filled(away, lambda p: p[..., 0]), ball(CT, 10.0), CT)
    assert figures.volume_cc > 0
    assert figures.coverage == 0.0
    assert (figures.mean_gy, figures.minimum_gy, figures.maximum_gy) == (None, None, None)


def test_an_empty_mask_has_no_volume_and_no_dose() -> None:
    figures = roi_dose(filled(DOSE_GRID, lambda p: p[..., 0]), np.zeros(CT.shape, bool), CT)
    assert (figures.volume_cc, figures.mean_gy, figures.coverage) == (0.0, None, 0.0)


def test_a_voxel_of_a_thick_slice_weighs_more_than_one_of_a_thin_slice() -> None:
    ct = replace(grid((4, 1, 1), (10.0 / 3, 1.0, 1.0)), slice_offsets_mm=(0.0, 4.0, 8.0, 10.0))
    dose = Volume(np.arange(11.0)[:, None, None], grid((11, 1, 1), (1.0, 1.0, 1.0)))
    figures = roi_dose(dose, np.ones(ct.shape, bool), ct)
    # Slices at 0, 4, 8, 10 mm stand for 4, 4, 3, 2 mm.
    assert figures.volume_cc == pytest.approx(13.0 / 1000)
    assert figures.mean_gy == pytest.approx((4 * 0 + 4 * 4 + 3 * 8 + 2 * 10) / 13)
