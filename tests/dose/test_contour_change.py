"""What another contour means for the dose, against sums over voxels done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.geometry import VolumeGeometry
from core.volume import Volume
from dose.contour_change import BINS, DoseChange, dose_change
from dose.metrics import roi_dose

OFFSETS = (0.0, 2.0, 5.0, 7.0, 10.0, 12.0)
CT = VolumeGeometry((6, 12, 12), (-6.0, -6.0, 0.0), (2.4, 1.0, 1.0), "f", slice_offsets_mm=OFFSETS)
GRID = VolumeGeometry((20, 20, 20), (-10.0, -10.0, -5.0), (1.0, 1.0, 1.0), "f")
DOSE = Volume(np.random.default_rng(1).gamma(2.0, 3.0, GRID.shape).astype(np.float32), GRID)


def random_masks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    first = rng.random(CT.shape) < 0.4
    second = first.copy()
    second[1:4] ^= rng.random((3, 12, 12)) < 0.1
    return first, second


@pytest.mark.parametrize("seed", range(5))
def test_slices_sum_to_the_change_and_untouched_ones_have_no_part(seed: int) -> None:
    first, second = random_masks(seed)
    found = dose_change(DOSE, first, second, CT)
    assert found is not None
    means = [roi_dose(DOSE, mask, CT).mean_gy for mask in (first, second)]
    assert [found.first_mean_gy, found.second_mean_gy] == pytest.approx(means)
    change_gy = found.second_mean_gy - found.first_mean_gy
    assert sum(gray for _, gray in found.slices_gy) == pytest.approx(change_gy, abs=1e-12)
    assert [number for number, _ in found.slices_gy] == [1, 2, 3]
    assert DoseChange.from_json(found.to_json()) == found


@pytest.mark.parametrize("seed", range(3))
def test_a_slice_has_the_part_that_its_own_change_makes_at_the_new_volume(seed: int) -> None:
    first, second = random_masks(seed)
    found = dose_change(DOSE, first, second, CT)
    assert found is not None
    for number, part_gy in found.slices_gy:
        expected = 0.0
        for z, row, column in np.argwhere(first != second):
            if z == number:
                x, y, height = CT.index_to_mm([(z, row, column)])[0]
                low, weight = int(np.floor(height + 5.0)), (height + 5.0) % 1.0
                planes = DOSE.values[low : low + 2, int(y + 10), int(x + 10)].astype(float)
                gray = planes[0] * (1.0 - weight) + planes[-1] * weight
                sign = 1.0 if second[z, row, column] else -1.0
                volume_cc = CT.voxel_volumes_cc()[z]
                expected += sign * volume_cc * (gray - found.first_mean_gy)
        assert part_gy == pytest.approx(expected / CT.volume_cc(second), abs=1e-9)


def test_the_curves_are_those_of_counting() -> None:
    first, second = random_masks(7)
    found = dose_change(DOSE, first, second, CT)
    assert found is not None
    assert len(found.first_percent) == BINS + 1
    assert found.first_percent[0] == 100.0
    level = 40 * found.bin_gy
    hot = np.zeros(CT.shape, bool)
    for z, row, column in np.argwhere(second):
        one = np.zeros(CT.shape, bool)
        one[z, row, column] = True
        hot[z, row, column] = (roi_dose(DOSE, one, CT).mean_gy or 0.0) >= level
    percent = 100.0 * CT.volume_cc(hot) / CT.volume_cc(second)
    assert found.second_percent[40] == pytest.approx(percent, abs=0.01)


def test_a_dose_that_misses_one_of_both_tells_no_change() -> None:
    first, second = random_masks(1)
    assert dose_change(DOSE, first, np.zeros_like(second), CT) is None


def test_what_leaves_the_grid_is_told_of_each() -> None:
    below = np.zeros(CT.shape, bool)
    below[0:2, 4:8, 4:8] = True
    short = Volume(
        DOSE.values[6:], VolumeGeometry((14, 20, 20), (-10.0, -10.0, 1.0), (1, 1, 1), "f")
    )
    whole = below.copy()
    whole[0] = False
    found = dose_change(short, below, whole, CT)
    assert found is not None
    assert found.first_coverage == pytest.approx(2.5 / 4.5)
    assert found.second_coverage == 1.0
