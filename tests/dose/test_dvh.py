"""DVH against cases with a known answer."""

import numpy as np
import pytest

from dose.dvh import Dvh


def test_a_uniform_dose_gives_a_step() -> None:
    dvh = Dvh.from_voxels(np.full(1000, 20.0), voxel_volumes_cc=0.001)
    assert dvh.volume_at_dose_cc(20.0) == pytest.approx(1.0)
    assert dvh.volume_at_dose_cc(20.001) == 0.0
    assert dvh.dose_at_volume_gy(95.0) == 20.0


def test_a_linear_ramp_gives_half_the_volume_at_half_the_dose() -> None:
    ramp = np.random.default_rng(1).permutation(np.linspace(0.0, 60.0, 60_001))
    dvh = Dvh.from_voxels(ramp, voxel_volumes_cc=1 / 60_001)
    assert dvh.volume_at_dose_cc(30.0) == pytest.approx(0.5, abs=1e-4)
    assert dvh.dose_at_volume_gy(25.0) == pytest.approx(45.0, abs=2e-3)


def test_the_whole_volume_gets_the_minimum_and_the_hottest_voxel_the_maximum() -> None:
    dvh = Dvh.from_voxels(np.array([3.0, 1.0, 2.0]), voxel_volumes_cc=2.0)
    assert dvh.volume_cc == 6.0
    assert dvh.dose_at_volume_gy(100.0) == 1.0
    assert dvh.dose_at_volume_gy(0.0) == 3.0


def test_the_curve_starts_at_the_whole_volume_and_ends_at_nothing() -> None:
    dvh = Dvh.from_voxels(np.array([0.0, 0.4, 1.0, 2.5]), voxel_volumes_cc=1.0)
    dose_gy, volume_cc = dvh.curve(bin_width_gy=0.5)
    assert dose_gy.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert volume_cc.tolist() == [4.0, 2.0, 2.0, 1.0, 1.0, 1.0, 0.0]


def test_a_structure_without_covered_voxels_has_no_dose_at_volume() -> None:
    dvh = Dvh.from_voxels(np.empty(0), voxel_volumes_cc=0.001)
    assert dvh.dose_at_volume_gy(50.0) is None
    assert dvh.volume_at_dose_cc(0.0) == 0.0
    assert dvh.curve(bin_width_gy=1.0)[1].tolist() == [0.0, 0.0]


def test_a_voxel_counts_with_its_own_volume() -> None:
    dvh = Dvh.from_voxels(np.array([30.0, 10.0, 20.0]), voxel_volumes_cc=np.array([0.2, 0.5, 0.3]))
    assert dvh.volume_cc == pytest.approx(1.0)
    assert dvh.volume_at_dose_cc(15.0) == pytest.approx(0.5)
    assert [dvh.dose_at_volume_gy(p) for p in (20, 21, 50, 51, 100)] == [30, 20, 20, 10, 10]


def test_many_voxels_have_the_figures_of_their_sorted_doses() -> None:
    """Voxels that hardly differ count as one: no figure moves by more than they differ."""
    rng = np.random.default_rng(3)
    doses = 50.0 * rng.beta(0.4, 2.0, 150_000) - 0.5
    volumes = rng.uniform(0.0, 0.002, doses.size)
    dvh = Dvh.from_voxels(doses, voxel_volumes_cc=volumes)
    order = np.argsort(doses)
    at_least = np.cumsum(volumes[order][::-1])[::-1]
    near = 1.01 * float(np.ptp(doses)) / 65_536
    assert dvh.volume_cc == pytest.approx(volumes.sum(), rel=1e-12)
    assert dvh.mean_gy() == pytest.approx(np.average(doses, weights=volumes), rel=1e-9)
    assert (dvh.doses_gy[0], dvh.doses_gy[-1]) == (doses.min(), doses.max())
    assert (np.diff(dvh.doses_gy) > 0.0).all()
    for percent in (0.5, 2.0, 5.0, 50.0, 95.0, 98.0):
        exact = doses[order][np.searchsorted(-at_least, -percent / 100 * at_least[0], "right") - 1]
        assert dvh.dose_at_volume_gy(percent) == pytest.approx(exact, abs=near)
    for gray in (0.0, 1.0, 5.0, 20.0, 40.0):
        less, more = (volumes[doses >= gray + side * near].sum() for side in (1, -1))
        assert less * (1 - 1e-9) <= dvh.volume_at_dose_cc(gray) <= more * (1 + 1e-9)


def test_many_voxels_of_one_dose_are_one_step() -> None:
    dvh = Dvh.from_voxels(np.full(100_000, 20.0), voxel_volumes_cc=0.001)
    assert (dvh.volume_cc, dvh.volume_at_dose_cc(20.0)) == pytest.approx((100.0, 100.0))
    assert dvh.volume_at_dose_cc(20.001) == 0.0
    assert [dvh.dose_at_volume_gy(p) for p in (0.0, 50.0, 100.0)] == [20.0, 20.0, 20.0]


def test_a_plateau_keeps_its_volume_beside_doses_just_below_it() -> None:
    """Were they one step, its mean would lie below 50 Gy, and V50 without the plateau."""
    doses = np.concatenate(
        [np.full(66_000, 50.0), np.full(20, 49.9999), np.linspace(0, 54, 33_980)]
    )
    dvh = Dvh.from_voxels(np.random.default_rng(4).permutation(doses), voxel_volumes_cc=0.001)
    assert dvh.volume_at_dose_cc(50.0) == pytest.approx(0.001 * (doses >= 50.0).sum(), abs=0.01)
    assert dvh.volume_at_dose_cc(49.9999) == pytest.approx(
        0.001 * (doses >= 49.9999).sum(), abs=0.01
    )
    assert dvh.mean_gy() == pytest.approx(doses.mean(), rel=1e-12)
    assert (np.diff(dvh.doses_gy) >= 0.0).all()


def test_one_hot_voxel_does_not_move_the_volume_of_all_others() -> None:
    """It widens the range of doses, and so what counts as one dose, by a hundred times."""
    doses = np.append(np.random.default_rng(1).gamma(4.0, 0.75, 100_000), 5000.0)
    dvh = Dvh.from_voxels(doses, voxel_volumes_cc=0.001)
    for gray in (2.5, 3.0, 5.0):
        assert dvh.volume_at_dose_cc(gray) == pytest.approx(0.001 * (doses >= gray).sum(), abs=0.1)


def test_much_volume_of_nearly_one_dose_keeps_its_curve() -> None:
    """Most of a heart lies within a 65,536th of the range, yet no two voxels have one dose."""
    rng = np.random.default_rng(5)
    shoulder = 50.0 - 6e-4 * rng.beta(2.0, 5.0, 90_000)
    doses = np.concatenate([shoulder, rng.uniform(0.0, 60.0, 40_000)])
    volumes = rng.uniform(0.0005, 0.0015, doses.size)
    dvh = Dvh.from_voxels(doses, voxel_volumes_cc=volumes)
    allowed = 0.002 * volumes.sum()
    for gray in np.concatenate([np.linspace(49.9994, 50.0, 25), [10.0, 49.9, 50.1]]):
        exact = volumes[doses >= gray].sum()
        assert dvh.volume_at_dose_cc(float(gray)) == pytest.approx(exact, abs=allowed)
    assert dvh.volume_cc == pytest.approx(volumes.sum(), rel=1e-12)
    assert dvh.mean_gy() == pytest.approx(np.average(doses, weights=volumes), rel=1e-12)
    assert (np.diff(dvh.doses_gy) >= 0.0).all()
    assert dvh.doses_gy.size < 80_000


def test_one_dose_with_rounding_differences_is_not_lost_at_that_dose() -> None:
    """Interpolation writes the dose of a plateau in several ways; the highest of them counts."""
    rng = np.random.default_rng(6)
    plateau = 20.0 * (1.0 - 2.0**-52 * rng.integers(0, 4, 80_000))
    doses = rng.permutation(np.concatenate([plateau, rng.uniform(0.0, 25.0, 20_000)]))
    dvh = Dvh.from_voxels(doses, voxel_volumes_cc=0.001)
    exact = 0.001 * (80_000 + (doses > 20.0 + 1e-9).sum())
    assert dvh.volume_at_dose_cc(20.0) == pytest.approx(exact, abs=0.1)
