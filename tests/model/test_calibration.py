"""Intervals cover as often as they say, also after the world has changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import UnreadableObjectError
from model.calibration import (
    CALIBRATION_FILE,
    LEAST_CASES,
    LEAST_SITE_CASES,
    SITE,
    SYNTHETIC,
    Calibration,
    Outcome,
    calibrate,
    dose_signs,
    read_calibration,
    write_calibration,
)
from model.conformal import Regression
from model.uncertainty import Place
from tests.model.doubtful import SURE, outcomes

VERSION = "ab" * 32


def made(seed: int, count: int = 200) -> Calibration:
    found = calibrate(VERSION, outcomes(np.random.default_rng(seed), count))
    assert found is not None
    return found


def coverage(calibration: Calibration, cases: list[Outcome]) -> float:
    hits = []
    for case in cases:
        interval = calibration.expected(case.estimates)
        if interval is not None:
            hits.append(interval.low <= case.dice <= interval.high)
    assert len(hits) > 0.9 * len(cases)
    return float(np.mean(hits))


def dose_coverage(calibration: Calibration, cases: list[Outcome]) -> float:
    hits = []
    for case in cases:
        assert case.dose is not None
        interval = calibration.expected_dose_error(case.estimates, case.dose)
        if interval is not None and case.dose_error_gy is not None:
            hits.append(interval.low <= case.dose_error_gy <= interval.high)
    return float(np.mean(hits))


def test_nine_of_ten_cases_lie_in_their_interval() -> None:
    """Over many calibrations: that is what conformal intervals promise, not each one alone."""
    fresh = outcomes(np.random.default_rng(99), 300)
    calibrations = [made(seed, 120) for seed in range(12)]
    assert 0.88 < np.mean([coverage(c, fresh) for c in calibrations]) < 0.95
    assert 0.88 < np.mean([dose_coverage(c, fresh) for c in calibrations]) < 0.95


def test_what_looks_worse_is_expected_to_be_worse_and_less_surely() -> None:
    calibration = made(1)
    good = calibration.expected(SURE)
    bad = calibration.expected(
        replace(
            SURE,
            expected_dice=0.78,
            agreement=0.7,
            steadiness=0.8,
            least_steady=0.7,
            entropy_bits=1.3,
        )
    )
    assert good is not None
    assert bad is not None
    assert bad.value < good.value - 0.1
    assert bad.high - bad.low > 1.5 * (good.high - good.low)


def test_a_site_where_everything_is_worse_gets_its_own_intervals() -> None:
    rng = np.random.default_rng(5)
    shipped = made(2)
    there = outcomes(rng, 60, worse_by=0.15, more_gy=4.0)
    fresh = outcomes(rng, 300, worse_by=0.15, more_gy=4.0)
    assert coverage(shipped, fresh) < 0.5
    assert dose_coverage(shipped, fresh) < 0.6
    moved = shipped.on_site(there, [])
    assert moved.origin == SITE
    assert moved.cases >= LEAST_SITE_CASES
    assert coverage(moved, fresh) > 0.85
    assert dose_coverage(moved, fresh) > 0.85
    here, away = moved.expected(SURE), shipped.expected(SURE)
    assert here is not None
    assert away is not None
    assert here.value < away.value - 0.05


def test_with_few_cases_of_its_own_a_site_relies_on_what_was_shipped() -> None:
    shipped = made(3)
    few = outcomes(np.random.default_rng(6), LEAST_SITE_CASES - 1, worse_by=0.3)
    moved = shipped.on_site(few, [])
    assert moved.origin == SYNTHETIC
    assert moved.expected(SURE) == shipped.expected(SURE)


def test_ten_approved_structures_say_what_is_usual_here() -> None:
    shipped = made(4)
    small = replace(SURE, place=replace(SURE.place, volume_cc=150.0))
    assert shipped.expected(small) is None
    children = [Place(150.0 + 5 * n, 18.0, -20.0, None, None) for n in range(10)]
    assert shipped.on_site([], children[:9]).expected(small) is None
    assert shipped.on_site([], children).expected(small) is not None


def test_where_nothing_is_promised_there_is_still_an_order() -> None:
    calibration = made(7)
    promised = calibration.expected(SURE)
    assert promised is not None
    assert promised.low < calibration.guess(SURE) < promised.high
    assert SURE.place.volume_cc > 0
    huge = replace(SURE, place=replace(SURE.place, volume_cc=9000.0))
    assert calibration.expected(huge) is None
    assert 0.0 < calibration.guess(huge) < 1.0


def test_nothing_is_promised_of_an_empty_mask_or_from_few_cases() -> None:
    empty = replace(SURE, place=Place(0.0, None, None, None, None))
    assert made(7).expected(empty) is None
    assert made(7).guess(empty) == 0.0
    few = outcomes(np.random.default_rng(0), LEAST_CASES - 1)
    assert calibrate(VERSION, few) is None


def test_each_residual_is_of_a_regression_that_never_saw_its_case() -> None:
    """What is said of a case cannot depend on its own truth: turning that changes nothing."""
    rng = np.random.default_rng(8)
    signs = rng.normal(size=(60, 3))
    truth = signs @ [1.0, -0.5, 0.2] + 0.1 * rng.normal(size=60)
    made, estimates = Regression.crossed(signs, truth)
    assert len(made.residuals) == 60
    for case in (0, 17, 59):
        turned = truth.copy()
        turned[case] += 5.0
        assert Regression.crossed(signs, turned)[1][case] == estimates[case]
        others = np.arange(60) % 10 != case % 10
        alone = Regression.fitted(signs[others], truth[others])
        assert estimates[case] == alone.estimate(signs[case])
    assert made.weights == Regression.fitted(signs, truth).weights


def test_a_calibration_of_an_earlier_edition_is_used_with_the_signs_it_knows() -> None:
    calibration = made(11)
    kept = calibration.to_json()
    for name in ("low", "high", "centre", "scale", "weights"):
        kept["dice"][name] = kept["dice"][name][:8]
    earlier = Calibration.from_json(kept)
    interval = earlier.expected(SURE)
    assert interval is not None
    assert interval.low < earlier.guess(SURE) < interval.high


def test_the_ends_are_the_ranks_that_split_conformal_asks_for() -> None:
    """With 19 residuals -9..9 and a spread of one, 5 % on each side are the outermost two."""
    regression = Regression(
        low=(0.0,),
        high=(1.0,),
        centre=(0.0,),
        scale=(1.0,),
        weights=(1.0,),
        offset=0.0,
        spread=(1.0, 0.0, 0.1),
        residuals=tuple(float(r) for r in range(-9, 10)),
    )
    interval = regression.interval([0.5])
    assert (interval.low, interval.value, interval.high) == (-8.5, 0.5, 9.5)
    assert regression.interval([7.0]) == regression.interval([1.0])  # nothing is extrapolated


def test_a_calibration_is_kept_as_json_beside_its_model(tmp_path: Path) -> None:
    calibration = made(8)
    assert read_calibration(tmp_path, VERSION) is None
    write_calibration(tmp_path, calibration)
    kept = read_calibration(tmp_path, VERSION)
    assert kept is not None
    assert kept.expected(SURE) == calibration.expected(SURE)
    path = tmp_path / VERSION / CALIBRATION_FILE
    other = json.loads(path.read_text()) | {"model_version": "cd" * 32}
    path.write_text(json.dumps(other))
    with pytest.raises(UnreadableObjectError, match="another version"):
        read_calibration(tmp_path, VERSION)
    path.write_text("{")
    with pytest.raises(UnreadableObjectError, match="without an interval"):
        read_calibration(tmp_path, VERSION)


def test_an_undecided_edge_matters_where_the_dose_differs() -> None:
    """Half of the voxels decided at 10 Gy, one beside them at a half: 10 or 4 Gy there."""
    probability = np.array([[[1.0, 1.0, 0.5, 0.0]]], np.float32)
    mask = probability > 0.6
    level = dose_signs(probability, mask, np.full((1, 1, 4), 10.0, np.float32))
    steep = dose_signs(probability, mask, np.array([[[10.0, 10.0, 4.0, np.nan]]], np.float32))
    assert level is not None
    assert steep is not None
    assert (level.mean_gy, level.shift_gy, level.wobble_gy) == (10.0, 0.0, 0.0)
    assert steep.shift_gy == pytest.approx(10.0 - 22.0 / 2.5)
    assert steep.wobble_gy == pytest.approx(0.25 * 6.0 / 2.5)
    assert dose_signs(probability, mask, np.full((1, 1, 4), np.nan, np.float32)) is None
