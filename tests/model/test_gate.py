"""Only what is better in the mean and worse in nothing is promoted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from model.gate import bootstrap_bound, judge
from model.metrics import CaseScore


def scores(
    dice: Mapping[str, float] | list[float], **others: float | list[float]
) -> dict[str, CaseScore]:
    """Scores of cases a, b, c ... with everything else alike unless it is given."""
    values = list(dice.values()) if isinstance(dice, Mapping) else dice
    common: dict[str, float | list[float]] = {
        "surface_dice": 0.9,
        "hausdorff_95_mm": 6.0,
        "mean_dose_error_gy": 0.1,
        **others,
    }
    made = {}
    for n, value in enumerate(values):
        own = {k: v[n] if isinstance(v, list) else v for k, v in common.items()}
        made["abcdefghij"[n]] = CaseScore(dice=value, **own)
    return made


def test_a_better_candidate_is_promoted_with_its_figures() -> None:
    verdict = judge(scores([0.8, 0.9]), scores([0.8, 0.8]))
    assert verdict.promoted
    assert verdict.sentence == (
        "Promoted: mean Dice 0.850 against 0.800 of the released model on 2 validation cases, "
        "and worse in nothing."
    )
    assert verdict.figures["dice"] == pytest.approx(0.85)


@pytest.mark.parametrize("dice", [0.8, 0.3])
def test_an_equal_or_worse_candidate_is_not_promoted(dice: float) -> None:
    verdict = judge(scores([dice]), scores([0.8]))
    assert not verdict.promoted
    assert "against 0.800" in verdict.sentence


def test_one_case_that_falls_far_stops_a_better_mean() -> None:
    released = scores([0.7, 0.7, 0.7, 0.7])
    verdict = judge(scores([0.9, 0.9, 0.9, 0.58]), released)
    assert not verdict.promoted
    assert "one case loses 0.120 Dice" in verdict.sentence
    assert judge(scores([0.9, 0.9, 0.9, 0.65]), released).promoted


@pytest.mark.parametrize(
    ("worse", "named"),
    [
        ({"surface_dice": 0.8}, "surface Dice"),
        ({"hausdorff_95_mm": 12.0}, "95 % Hausdorff distance is worse by 6.000 mm"),
        ({"mean_dose_error_gy": 0.4}, "mean dose error is worse by 0.300 Gy"),
    ],
)
def test_a_better_dice_does_not_buy_a_worse_surface_or_dose(
    worse: dict[str, float], named: str
) -> None:
    verdict = judge(scores([0.9, 0.9], **worse), scores([0.8, 0.8]))
    assert not verdict.promoted
    assert named in verdict.sentence


def test_cases_without_a_dose_do_not_stop_a_candidate() -> None:
    without = {
        case: CaseScore(s.dice, s.surface_dice, s.hausdorff_95_mm)
        for case, s in scores([0.9, 0.9]).items()
    }
    assert judge(without, scores([0.8, 0.8])).promoted


def test_a_better_candidate_that_loses_the_sentinel_is_refused() -> None:
    better, released = scores([0.9, 0.9]), scores([0.8, 0.8])
    kept = judge(
        better, released, sentinel=scores([0.88, 0.87]), released_sentinel=scores([0.9, 0.88])
    )
    assert kept.promoted
    lost = judge(
        better, released, sentinel=scores([0.8, 0.85]), released_sentinel=scores([0.9, 0.88])
    )
    assert not lost.promoted
    assert "the sentinel cases fall by 0.065 in the mean (allowed: 0.03)" in lost.sentence


def test_one_lost_sentinel_is_told_as_one_where_the_others_gain() -> None:
    verdict = judge(
        scores([0.9, 0.9]),
        scores([0.8, 0.8]),
        sentinel=scores([0.9, 0.9, 0.3]),
        released_sentinel=scores([0.6, 0.7, 0.741]),
    )
    assert verdict.sentence.endswith("but one sentinel case loses 0.441 Dice (allowed: 0.10).")


def test_a_wild_gain_on_few_cases_is_not_trusted() -> None:
    """Better in the mean, but resampling the cases says it may as well be worse."""
    released = scores([0.8] * 5)
    verdict = judge(scores([0.99, 0.99, 0.71, 0.72, 0.73]), released)
    assert not verdict.promoted
    assert "its Dice may be worse by" in verdict.sentence


def test_of_a_few_cases_the_mean_difference_counts_and_not_the_worst_case_alone() -> None:
    """Resampled, two cases would always include twice the one that is 3 mm farther out."""
    released = scores([0.8, 0.8], hausdorff_95_mm=[6.0, 6.0])
    assert judge(scores([0.9, 0.85], hausdorff_95_mm=[9.0, 4.0]), released).promoted
    assert not judge(scores([0.9, 0.85], hausdorff_95_mm=[9.0, 8.0]), released).promoted


def test_a_model_that_is_no_use_is_replaced_by_what_finds_more() -> None:
    far_out = scores([0.5, 0.6], hausdorff_95_mm=90.0)
    assert judge(far_out, scores([0.2, 0.3], hausdorff_95_mm=60.0)).promoted
    assert not judge(far_out, scores([0.5, 0.55], hausdorff_95_mm=60.0)).promoted
    lost = {"sentinel": scores([0.5]), "released_sentinel": scores([0.9])}
    assert not judge(far_out, scores([0.2, 0.3]), **lost).promoted


def test_doses_that_scatter_do_not_hold_a_better_model_back_but_a_small_steady_loss_does() -> None:
    released = scores([0.8] * 6, mean_dose_error_gy=[0.5, 0.1, 0.6, 0.2, 0.4, 0.3])
    scattered = scores([0.85] * 6, mean_dose_error_gy=[0.1, 0.6, 0.2, 0.6, 0.3, 0.5])
    assert judge(scattered, released).promoted
    steady = scores([0.85] * 6, mean_dose_error_gy=[0.55, 0.15, 0.65, 0.25, 0.45, 0.35])
    refused = judge(steady, released)
    assert not refused.promoted
    assert "mean dose error is worse by 0.050 Gy on nearly every case" in refused.sentence


def test_the_first_model_must_find_something() -> None:
    assert judge(scores([0.01]), None).promoted
    verdict = judge(scores([0.0, 0.0]), None)
    assert not verdict.promoted
    assert "found nothing" in verdict.sentence


@pytest.mark.parametrize("released", [None, {}])
def test_without_validation_cases_nobody_is_promoted(released: dict[str, CaseScore] | None) -> None:
    verdict = judge({}, released)
    assert not verdict.promoted
    assert "no validation case" in verdict.sentence


def test_scores_of_other_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="same cases"):
        judge(scores([0.9]), {"z": CaseScore(0.1, 0.1, 1.0)})


def test_the_bootstrap_bound_lies_above_the_mean_and_shrinks_with_cases() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.normal(0.0, 0.1, 5), rng.normal(0.0, 0.1, 200)
    assert bootstrap_bound(few) > few.mean()
    assert bootstrap_bound(many) - many.mean() == pytest.approx(1.645 * 0.1 / 200**0.5, rel=0.2)
    assert bootstrap_bound(few) == bootstrap_bound(few)
