"""Named figures of a DVH whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import UnknownMetricError
from dose.dvh import Dvh
from dose.dvh_metrics import metric

# 60 cc, of which each millilitre receives 1 Gy more than the one before.
RAMP = Dvh.from_voxels(np.arange(1.0, 61.0), voxel_volumes_cc=1.0)
NOTHING = Dvh.from_voxels(np.empty(0), voxel_volumes_cc=1.0)


@pytest.mark.parametrize(
    ("name", "unit", "value"),
    [
        ("mean", "Gy", 30.5),
        ("median", "Gy", 31.0),
        ("min", "Gy", 1.0),
        ("max", "Gy", 60.0),
        ("D95%", "Gy", 4.0),
        ("D2.5%", "Gy", 59.0),
        ("D2cc", "Gy", 59.0),
        ("D0.5cc", "Gy", 60.0),
        ("D60cc", "Gy", 1.0),
        ("D61cc", "Gy", None),
        ("V31Gy", "%", 50.0),
        ("V31Gycc", "cc", 30.0),
        ("V0Gy%", "%", 100.0),
        ("V60.5Gy", "%", 0.0),
        ("gEUD1", "Gy", 30.5),
        ("gEUD2", "Gy", np.sqrt(61 * 121 / 6)),
        ("gEUD-1", "Gy", 60 / np.sum(1 / np.arange(1, 61))),
        ("gEUD1000", "Gy", 60 * 60 ** (-1 / 1000)),
    ],
)
def test_a_figure_has_its_value_and_its_unit(name: str, unit: str, value: float | None) -> None:
    found = metric(RAMP, name)
    assert (found.name, found.unit) == (name, unit)
    assert found.value == (None if value is None else pytest.approx(value, rel=1e-9))


@pytest.mark.parametrize("name", ["mean", "max", "D95%", "D2cc", "V20Gy", "V20Gycc", "gEUD8"])
def test_what_is_not_covered_has_no_figures(name: str) -> None:
    assert metric(NOTHING, name).value is None


@pytest.mark.parametrize(
    "name", ["", "D", "D95", "D101%", "V20", "D 95%", "gEUD0", "Mean", "D95Gy"]
)
def test_a_name_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(UnknownMetricError, match="expected one like mean"):
        metric(RAMP, name)


def test_figures_agree_with_their_definition_on_voxels_of_any_volume() -> None:
    rng = np.random.default_rng(3)
    doses, volumes = rng.gamma(2.0, 9.0, 400), rng.uniform(0.01, 2.0, 400)
    dvh = Dvh.from_voxels(doses, voxel_volumes_cc=volumes)
    assert metric(dvh, "mean").value == pytest.approx(np.average(doses, weights=volumes))
    for wanted in (0.1, 3.0, 77.0, volumes.sum()):
        enough = [d for d in doses if volumes[doses >= d].sum() >= wanted * (1 - 1e-9)]
        assert dvh.dose_at_volume_cc_gy(wanted) == max(enough)
    powered = np.average(doses**3.5, weights=volumes) ** (1 / 3.5)
    assert metric(dvh, "gEUD3.5").value == pytest.approx(powered)


def test_the_differential_histogram_is_what_lies_in_each_bin() -> None:
    doses, volumes = np.array([0.0, 0.4, 1.0, 2.5]), np.array([1.0, 2.0, 3.0, 4.0])
    dvh = Dvh.from_voxels(doses, voxel_volumes_cc=volumes)
    lower_gy, volume_cc = dvh.differential(bin_width_gy=0.5)
    assert lower_gy.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert volume_cc.tolist() == [3.0, 0.0, 3.0, 0.0, 0.0, 4.0]


def test_a_dose_of_nothing_has_no_equivalent_but_zero() -> None:
    cold = Dvh.from_voxels(np.zeros(5), voxel_volumes_cc=1.0)
    assert (metric(cold, "mean").value, metric(cold, "gEUD-10").value) == (0.0, 0.0)
