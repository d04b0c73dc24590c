"""The bound on further changes: exact, never passed, and reached by what a hand could draw."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter

from core.geometry import Mask, Points
from core.volume import Volume
from dose.band import boundary_band
from dose.grid import sample_dose
from dose.metrics import roi_dose
from dose.sensitivity import extreme_means, leverage_gy, stop_here
from tests.dose.grids import ball, centred, filled, grid

WITHIN_MM = 2.5
CT = centred((30, 48, 46), (2.0, 1.1, 1.1))
DOSE_GRID = centred((32, 32, 32), (2.5, 2.5, 2.5))


def field_edge(points_mm: Points) -> Points:
    """A beam's edge through the structure."""
    return np.asarray(0.4 + 30.0 / (1.0 + np.exp(-(points_mm[..., 0] - 12.0) / 4.0)))


def hot_spot(points_mm: Points) -> Points:
    away = np.linalg.norm(points_mm - np.array([8.0, -14.0, 6.0]), axis=-1)
    return np.asarray(50.0 * np.exp(-((away / 12.0) ** 2)))


def ramp(points_mm: Points) -> Points:
    return np.asarray(20.0 + 0.2 * points_mm[..., 1])


DOSES = {"field edge": field_edge, "hot spot": hot_spot, "ramp": ramp}
HEART = ball(CT, 20.0) & ~ball(CT, 6.0, (9.0, 0.0, 0.0))


@pytest.mark.parametrize("seed", range(40))
def test_the_extremes_are_those_of_all_choices_there_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 11))
    doses, volumes = rng.normal(10.0, 4.0, count).round(1), rng.uniform(0.5, 3.0, count)
    fixed = (0.0, 0.0) if seed % 4 == 0 else (float(rng.uniform(0, 60)), float(rng.uniform(0.1, 9)))
    means = []
    for choice in product((0.0, 1.0), repeat=count):
        volume = fixed[1] + volumes @ choice
        if volume > 0:
            means.append((fixed[0] + (volumes * doses) @ choice) / volume)
    assert extreme_means(fixed, doses, volumes) == pytest.approx((min(means), max(means)))


def test_on_a_few_voxels_no_choice_within_reach_passes_the_bound_and_one_reaches_it() -> None:
    ct = replace(grid((3, 2, 2), (2.5, 4.0, 4.0)), slice_offsets_mm=(0.0, 2.0, 5.0))
    dose = filled(ct_dose := grid((8, 5, 5), (1.0, 2.0, 2.0), (-1.0, -1.0, -1.0)), hot_spot)
    assert ct_dose.shape == dose.values.shape
    mask = np.zeros(ct.shape, bool)
    mask[0, 0] = mask[1, 0, 0] = mask[2, 1, 1] = True
    free = boundary_band(mask, ct, within_mm=WITHIN_MM)
    found = stop_here(dose, mask, ct, within_mm=WITHIN_MM)
    assert found is not None
    means = []
    for choice in product((False, True), repeat=int(free.sum())):
        changed = mask.copy()
        changed[free] = choice
        means.append(roi_dose(dose, changed, ct).mean_gy)
    known = [mean for mean in means if mean is not None]
    assert (found.lowest_gy, found.highest_gy) == pytest.approx((min(known), max(known)))


def perturbed(seed: int, free: Mask, away_mm: npt.NDArray[np.float64]) -> Mask:
    """The structure with another edge: voxels at random, or one that is pushed smoothly."""
    rng = np.random.default_rng(seed)
    if seed % 4 == 0:
        return np.where(free, rng.random(CT.shape) < rng.random(), HEART)
    rough = gaussian_filter(rng.normal(size=CT.shape), [4.0 / s for s in CT.spacing_mm])
    pushed = WITHIN_MM * np.clip(2.0 * rough / np.abs(rough).max() + rng.normal(0, 0.5), -1, 1)
    return np.where(free, away_mm < pushed, HEART)


@pytest.fixture(scope="module")
def away_mm() -> npt.NDArray[np.float64]:
    """Signed distance from the edge, negative inside."""
    outside = distance_transform_edt(~HEART, sampling=CT.spacing_mm)
    inside = distance_transform_edt(HEART, sampling=CT.spacing_mm)
    return np.asarray(np.where(HEART, 0.5 - inside, outside - 0.5))


def test_a_thousand_other_contours_stay_within_the_bound(
    away_mm: npt.NDArray[np.float64],
) -> None:
    free = boundary_band(HEART, CT, within_mm=WITHIN_MM)
    known = []
    for dose in (filled(DOSE_GRID, dose_gy) for dose_gy in DOSES.values()):
        found = stop_here(dose, HEART, CT, within_mm=WITHIN_MM)
        assert found is not None
        known.append((at_voxels(dose), found))
    for seed in range(1000):
        contour = perturbed(seed, free, away_mm)
        for gray, found in known:
            mean = gray[contour].mean()
            assert found.lowest_gy - 1e-9 <= mean <= found.highest_gy + 1e-9


@pytest.mark.parametrize("name", DOSES)
def test_the_bound_is_reached_and_a_smooth_contour_comes_at_least_half_way(
    name: str, away_mm: npt.NDArray[np.float64]
) -> None:
    dose = filled(DOSE_GRID, DOSES[name])
    free = boundary_band(HEART, CT, within_mm=WITHIN_MM)
    found = stop_here(dose, HEART, CT, within_mm=WITHIN_MM)
    assert found is not None
    gray = at_voxels(dose)
    best = np.where(free, gray > found.highest_gy, HEART)
    worst = np.where(free, gray < found.lowest_gy, HEART)
    assert gray[best].mean() == pytest.approx(found.highest_gy, abs=1e-9)
    assert gray[worst].mean() == pytest.approx(found.lowest_gy, abs=1e-9)
    reached = []
    for level in np.quantile(gray[free], np.linspace(0.02, 0.98, 25)):
        for sign in (1.0, -1.0):
            slope = gaussian_filter(
                np.where(gray > level, sign, -sign), [2.0 / s for s in CT.spacing_mm]
            )
            drawn = np.where(free, away_mm < WITHIN_MM * slope, HEART)
            reached.append(gray[drawn].mean() - found.mean_gy)
    assert found.highest_gy - found.mean_gy <= 2.0 * max(reached)
    assert found.mean_gy - found.lowest_gy <= 2.0 * -min(reached)


def at_voxels(dose: Volume) -> npt.NDArray[np.float64]:
    return sample_dose(dose, CT, np.ones(CT.shape, bool)).values_gy.reshape(CT.shape)


def test_slices_share_the_way_among_them_and_the_hot_ones_lead() -> None:
    dose = filled(DOSE_GRID, hot_spot)
    found = stop_here(dose, HEART, CT, within_mm=WITHIN_MM)
    assert found is not None
    assert found.to_highest_gy.sum() == pytest.approx(found.highest_gy - found.mean_gy)
    assert found.to_lowest_gy.sum() == pytest.approx(found.mean_gy - found.lowest_gy)
    assert min(found.to_highest_gy.min(), found.to_lowest_gy.min()) >= 0.0
    positions_mm = CT.index_to_mm([(k, 0, 0) for k in range(CT.shape[0])])[:, 2]
    assert abs(positions_mm[found.slice_ranking[0]] - 6.0) <= 4.0
    assert found.largest_change_gy == found.highest_gy - found.mean_gy


def test_a_uniform_dose_leaves_nothing_to_move() -> None:
    dose = filled(DOSE_GRID, lambda p: np.full(p.shape[:-1], 3.0))
    found = stop_here(dose, HEART, CT, within_mm=WITHIN_MM)
    assert found is not None
    assert found.largest_change_gy == pytest.approx(0.0, abs=1e-12)


def test_voxels_without_a_dose_are_told_and_part_of_no_mean() -> None:
    half = grid((32, 32, 14), (2.5, 2.5, 2.5), (-39.0, -39.0, -39.0))
    found = stop_here(filled(half, ramp), HEART, CT, within_mm=WITHIN_MM)
    assert found is not None
    assert found.mean_gy == pytest.approx(roi_dose(filled(half, ramp), HEART, CT).mean_gy)
    assert found.uncovered_cc > 0.1
    away = replace(half, origin_mm=(500.0, 0.0, 0.0))
    assert stop_here(filled(away, ramp), HEART, CT, within_mm=WITHIN_MM) is None


def test_leverage_is_what_one_voxel_changes() -> None:
    dose = filled(DOSE_GRID, hot_spot)
    gray = at_voxels(dose)
    volume = CT.voxel_volumes_cc()[0]
    before = gray[HEART].mean()
    found = leverage_gy(
        gray,
        np.full(CT.shape, volume),
        inside=HEART,
        mean_gy=before,
        volume_cc=volume * HEART.sum(),
    )
    for voxel in ((15, 24, 23), (10, 10, 12), (18, 14, 27), (15, 24, 40)):
        flipped = HEART.copy()
        flipped[voxel] = not flipped[voxel]
        assert found[voxel] == pytest.approx(gray[flipped].mean() - before, abs=1e-12)
