"""Only what is strictly better on the same cases is promoted."""

import pytest

from model.gate import judge


def test_a_better_candidate_is_promoted_with_its_figures():
    verdict = judge({"a": 0.8, "b": 0.9}, {"a": 0.8, "b": 0.8})
    assert verdict.promoted
    assert verdict.sentence == (
        "Promoted: mean Dice 0.850 against 0.800 of the released model on 2 validation cases."
    )


@pytest.mark.parametrize("candidate", [{"a": 0.8}, {"a": 0.3}])
def test_an_equal_or_worse_candidate_is_not_promoted(candidate):
    verdict = judge(candidate, {"a": 0.8})
    assert not verdict.promoted
    assert "against 0.800" in verdict.sentence
    assert verdict.sentence.endswith("on 1 validation case.")


def test_the_mean_decides_and_not_the_best_case():
    assert not judge({"a": 0.99, "b": 0.2}, {"a": 0.6, "b": 0.6}).promoted


def test_the_first_model_must_find_something():
    assert judge({"a": 0.01}, None).promoted
    verdict = judge({"a": 0.0, "b": 0.0}, None)
    assert not verdict.promoted
    assert "found nothing" in verdict.sentence


@pytest.mark.parametrize("released", [None, {}])
def test_without_validation_cases_nobody_is_promoted(released):
    verdict = judge({}, released)
    assert not verdict.promoted
    assert "no validation case" in verdict.sentence


def test_scores_of_other_cases_are_refused():
    with pytest.raises(ValueError, match="same cases"):
        judge({"a": 0.9}, {"b": 0.1})
