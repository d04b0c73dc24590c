"""A round: reproducible, stoppable, and it hands out the best weights it measured."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from core.config import ModelSettings, TrainingSettings
from core.volume import Volume
from model.cascade import fresh_cascade
from model.labels import Labels
from model.learner import Learner, on_cpu
from model.metrics import score_weights
from model.sampler import Sampler
from model.samples import TrainingCase, make_training_case
from model.train import Candidate, RoundProgress, steps_of_round, train_round
from tests.support.settings import config_of

CPU = torch.device("cpu")


@pytest.fixture
def cases(settings: ModelSettings, sphere: tuple[Volume, np.ndarray]) -> list[TrainingCase]:
    """Three patients with the same ball, shifted and in other noise."""
    volume, ball = sphere
    rng = np.random.default_rng(0)
    made = []
    for number, shift in enumerate((0, 3, -2)):
        noisy = np.roll(volume.values, shift, 1) + rng.normal(0, 20, ball.shape)
        made.append(
            make_training_case(
                Volume(noisy.astype(np.int16), volume.geometry),
                Labels.imported(np.roll(ball, shift, 1)),
                settings=settings,
                case_id=f"case-{number}",
                patient_key=f"patient-{number}",
            )
        )
    return made


def learn(
    cases: Sequence[TrainingCase],
    validation: Sequence[TrainingCase],
    settings: ModelSettings,
    training: TrainingSettings,
    **changes: Any,
) -> Candidate:
    seed = changes.pop("seed", 0)
    arguments = {
        "start": None,
        "rng": np.random.default_rng(seed),
        "progress": lambda _: None,
        "should_stop": lambda: False,
        **changes,
    }
    return train_round(
        cases,
        validation,
        settings=settings,
        config=config_of(settings),
        training=training,
        **arguments,
    )


def long_round(training: TrainingSettings) -> TrainingSettings:
    """Sixty steps at a rate that so small a network takes."""
    return training.model_copy(
        update={
            "steps_first": 60,
            "steps_longest": 60,
            "validate_every": 10,
            "learning_rate": 0.01,
        }
    )


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_length_of_a_round_grows_with_its_cases_up_to_the_longest(training):
    asked = training.model_copy(
        update={"steps_first": 100, "steps_per_case": 30, "steps_longest": 180}
    )
    assert [steps_of_round(n, asked) for n in (1, 2, 3, 50)] == [130, 160, 180, 180]


def test_the_same_seed_gives_the_same_candidate(cases, settings, training):
    one, two = (learn(cases[:2], cases[2:], settings, training) for _ in range(2))
    other = learn(cases[:2], cases[2:], settings, training, seed=1)
    assert one.losses == two.losses
    assert same(one.weights, two.weights)
    assert not same(one.weights, other.weights)


def test_a_round_learns_and_the_candidate_scores_what_it_says(cases, settings, training):
    longer = long_round(training)
    candidate = learn(cases[:2], cases[2:], settings, longer)
    assert candidate.steps == len(candidate.losses) == 60
    assert np.mean(candidate.losses[-10:]) < 0.75 * np.mean(candidate.losses[:10])
    assert candidate.validation_dice > 0.7
    measured = score_weights(candidate.weights, config_of(settings), cases[2:], CPU)
    assert measured == candidate.scores
    assert all(value.device.type == "cpu" for value in candidate.weights.values())


def test_a_round_goes_on_from_the_weights_it_is_given(cases, settings, training):
    longer = long_round(training)
    first = learn(cases[:2], cases[2:], settings, longer)
    second = learn(cases[:2], cases[2:], settings, training, start=first.weights)
    fresh = learn(cases[:2], cases[2:], settings, training)
    assert np.mean(second.losses) < 0.7 * np.mean(fresh.losses)


def test_progress_is_told_after_each_step_with_the_best_dice_so_far(cases, settings, training):
    told: list[RoundProgress] = []
    candidate = learn(cases[:2], cases[2:], settings, training, progress=told.append)
    assert [p.step for p in told] == [1, 2, 3, 4, 5, 6]
    assert {p.steps for p in told} == {6}
    assert told[0].validation_dice is None
    assert told[-1].validation_dice == candidate.validation_dice
    assert tuple(p.loss for p in told) == candidate.losses


def test_a_stopped_round_still_gives_measured_weights(cases, settings, training):
    answers = iter([False, True])
    candidate = learn(cases[:2], cases[2:], settings, training, should_stop=lambda: next(answers))
    assert candidate.steps == 2
    assert candidate.scores == score_weights(candidate.weights, config_of(settings), cases[2:], CPU)


def test_without_validation_cases_the_averaged_weights_come_unscored(cases, settings, training):
    candidate = learn(cases[:1], [], settings, training)
    assert candidate.scores == {}
    assert candidate.validation_dice == 0.0
    assert candidate.weights


def test_a_round_without_cases_is_refused(settings, training):
    with pytest.raises(ValueError, match="at least one training case"):
        learn([], [], settings, training)


def test_a_round_that_finds_nothing_better_any_more_ends_early(cases, settings, training):
    asked = long_round(training).model_copy(
        update={"learning_rate": 1e-9, "looks_without_progress": 2}
    )
    candidate = learn(cases[:2], cases[2:], settings, asked)
    assert candidate.steps == 60  # without any structure found, looks at 40, 50 and 60 are equal
    assert candidate.complete
    shorter = asked.model_copy(update={"looks_without_progress": 1})
    candidate = learn(cases[:2], cases[2:], settings, shorter)
    assert candidate.steps == 50
    assert candidate.complete


def test_what_is_more_urgent_goes_first_before_each_step_and_each_validation_case(
    cases, settings, training
):
    told: list[str] = []
    learn(
        cases[:1],
        cases[1:],
        settings,
        training.model_copy(update={"steps_first": 1, "steps_per_case": 0}),
        pause=lambda: told.append("pause"),
        progress=lambda now: told.append(f"step {now.step}"),
    )
    assert told == [*["pause"] * 5, "step 1"]  # a step, and two networks on two cases


@pytest.mark.parametrize(("finished", "share"), [(True, 0.01), (False, 1 - 2 / 11)])
def test_finished_weights_that_are_learned_on_are_averaged_over_hundred_steps(
    cases: list[TrainingCase],
    settings: ModelSettings,
    training: TrainingSettings,
    *,
    finished: bool,
    share: float,
) -> None:
    """A short memory after random weights; but a few steps say less than what is known already."""
    rng = np.random.default_rng(0)
    start = on_cpu(fresh_cascade(config_of(settings), seed=5))
    learner = Learner(start if finished else None, config_of(settings), CPU, training, rng)
    before = on_cpu(learner.averaged)
    sampler = Sampler(cases, (), settings, training, rng)
    learner.step(sampler.batches(), 1.0)
    live, averaged = on_cpu(learner.live), on_cpu(learner.averaged)
    for name in (n for n in before if before[n].is_floating_point()):
        expected = before[name] + share * (live[name] - before[name])
        torch.testing.assert_close(averaged[name], expected)
