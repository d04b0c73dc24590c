"""One round of learning: from approved cases to a candidate, the best weights it passed through."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.config import ModelSettings, TrainingSettings
from model.keeper import Keeper, Look
from model.learner import Learner, on_cpu
from model.metrics import CaseScore, mean_of
from model.predict import choose_device
from model.ranks import ALONE, Ranks
from model.registry import NetworkConfig, Weights
from model.running import Resume, Running
from model.sampler import Sampler
from model.samples import TrainingCase

WARM_UP_SHARE = 0.05
LEAST_WARM_UP_STEPS = 10
FINAL_RATE = 0.02
# Where rounds follow each other without end, the rate stays up.
GOING_ON_RATE = 0.2
# Weights that shine by luck while the learning rate is high must not win on a few cases.
SETTLED_SHARE = 0.5
CHECKPOINT_STEPS = 100


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """Where a round stands; `validation_dice` is the best so far, None before the first look.

    `losses` of every step and `looks` at the validation cases go on growing.
    """

    step: int
    steps: int
    loss: float
    validation_dice: float | None
    losses: Sequence[float]
    looks: Sequence[Look]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a round ends with: CPU weights and their scores on each validation case.

    Without validation cases `scores` is empty and the weights are the last averaged ones. It is
    `complete` unless it was stopped from outside. `digest` is that of the last weights.
    """

    weights: Weights
    scores: dict[str, CaseScore]
    losses: tuple[float, ...]
    complete: bool
    digest: str

    @property
    def steps(self) -> int:
        """How many optimiser steps were taken."""
        return len(self.losses)

    @property
    def validation_dice(self) -> float:
        """Mean Dice over the validation cases; 0 without any."""
        return mean_of(self.scores)


def steps_of_round(case_count: int, training: TrainingSettings) -> int:
    """How many optimiser steps a round over `case_count` training cases takes."""
    asked = training.steps_first + training.steps_per_case * case_count
    return min(training.steps_longest, asked)


def train_round(  # noqa: PLR0913 - a round has this many sides; all but the cases are named
    cases: Sequence[TrainingCase],
    validation: Sequence[TrainingCase],
    *,
    start: Mapping[str, Tensor] | None,
    settings: ModelSettings,
    config: NetworkConfig,
    training: TrainingSettings,
    rng: np.random.Generator,
    progress: Callable[[RoundProgress], None],
    should_stop: Callable[[], bool],
    steps: int | None = None,
    replay: Sequence[TrainingCase] = (),
    resume: Resume | None = None,
    memory: Resume | None = None,
    pause: Callable[[], None] = lambda: None,
    ranks: Ranks = ALONE,
) -> Candidate:
    """The best weights of one round over `cases`, measured on the whole `validation` volumes.

    Starts from `start`, or from fresh weights. Every `validate_every` steps of the second half the
    live and the averaged weights are looked at and the best kept: live weights may collapse between
    two looks. After `looks_without_progress` looks in vain the round ends early. `pause` is called
    before each step and each validation case, and may wait. `should_stop` is asked after each step;
    a stopped round still gives its best weights. With `resume` a checkpoint is kept every 100
    steps, and a round of the same key goes on from it as if it had never stopped: weights,
    optimiser, average and random numbers.

    With `memory` learning goes on where the last complete round of the same key ended, optimiser
    and average included, whatever the gate said of it: the gate decides what is released, not what
    is known. `start` counts where there is none.

    Several `ranks` call it at once, each with its own `rng`: what each learned is averaged in every
    step. The first one alone needs `validation`, `resume` and `memory`, and gives the candidate
    that counts.
    """
    if not cases:
        raise ValueError("A round needs at least one training case.")
    torch.set_num_threads(settings.threads)
    learner = Learner(start, config, choose_device(settings), training, rng, ranks)
    keeper = Keeper(validation, config, pause)
    steps = steps_of_round(len(cases), training) if steps is None else steps
    sampler = Sampler(cases, replay, settings, training, rng)
    run = Running(learner, keeper, sampler, rng, ranks)
    run.take_up(resume, memory)
    final_rate = GOING_ON_RATE if ranks.share_values(memory is not None) else FINAL_RATE
    complete = len(run.losses) >= steps
    for step in range(len(run.losses) + 1, steps + 1):
        pause()
        rate = rate_at(step, steps, final_rate) * warmth(learner.steps, steps)
        own_loss = learner.step(sampler.batches(), rate)
        sampler.learned(own_loss)
        loss, stopped = ranks.agree(own_loss, should_stop())
        run.losses.append(loss)
        settled = step > SETTLED_SHARE * steps and step % training.validate_every == 0
        if settled or step == steps:
            keeper.look_at(step, learner.live, learner.averaged)
        progress(RoundProgress(step, steps, loss, keeper.best_dice, run.losses, keeper.looks))
        if step % CHECKPOINT_STEPS == 0 or stopped:
            run.keep(resume)
        in_vain = keeper.looks_without_progress() >= training.looks_without_progress
        complete = step == steps or (settled and bool(ranks.share_values(in_vain)))
        if stopped and not complete:
            keeper.look_at(step, learner.live, learner.averaged)
        if stopped or complete:
            break
    if complete:
        run.remember(memory)
    digest = run.digest()
    ranks.require_equal(digest)
    weights = keeper.best or on_cpu(learner.averaged)
    return Candidate(weights, keeper.scores, tuple(run.losses), complete, digest)


def rate_at(step: int, steps: int, final_rate: float) -> float:
    """Share of the learning rate at `step`: a cosine from 1 down to `final_rate`."""
    cosine = 0.5 * (1.0 + math.cos(math.pi * (step - 1) / max(1, steps - 1)))
    return final_rate + (1.0 - final_rate) * cosine


def warmth(taken: int, steps: int) -> float:
    """Share of the learning rate of an optimiser that took `taken` steps in its life so far."""
    return min(1.0, (taken + 1) / max(LEAST_WARM_UP_STEPS, WARM_UP_SHARE * steps))
