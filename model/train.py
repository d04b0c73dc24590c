"""One round of learning: from approved cases to a candidate, the best weights it passed through."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.config import ModelSettings, TrainingSettings
from model.checkpoint import read_checkpoint, write_checkpoint
from model.keeper import Keeper
from model.learner import Learner, on_cpu
from model.metrics import CaseScore, mean_of
from model.predict import choose_device
from model.registry import NetworkConfig, Weights
from model.sampler import Sampler
from model.samples import TrainingCase

WARM_UP_SHARE = 0.05
LEAST_WARM_UP_STEPS = 10
FINAL_RATE = 0.02
# Weights that shine by luck while the learning rate is high must not win on a few cases.
SETTLED_SHARE = 0.5
CHECKPOINT_STEPS = 100


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """Where a round stands; `validation_dice` is the best so far, None before the first look."""

    step: int
    steps: int
    loss: float
    validation_dice: float | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a round ends with: CPU weights and their scores on each validation case.

    Without validation cases `scores` is empty and the weights are the last averaged ones.
    """

    weights: Weights
    scores: dict[str, CaseScore]
    steps: int
    losses: tuple[float, ...]

    @property
    def validation_dice(self) -> float:
        """Mean Dice over the validation cases; 0 without any."""
        return mean_of(self.scores)


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a round keeps its checkpoint, and the key that says which round it is."""

    path: Path
    key: str


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
) -> Candidate:
    """The best weights of one round over `cases`, measured on the whole `validation` volumes.

    Starts from `start`, or from fresh weights. Every `validate_every` steps of the second half the
    live and the averaged weights are looked at and the best kept: live weights may collapse between
    two looks. `should_stop` is asked after each step; a stopped round still gives its best weights.
    With `resume` a checkpoint is kept every 100 steps, and a round of the same key goes on from it
    as if it had never stopped: weights, optimiser, average and random numbers.
    """
    if not cases:
        raise ValueError("A round needs at least one training case.")
    torch.set_num_threads(settings.threads)
    learner = Learner(start, config, choose_device(settings), training, rng)
    keeper = Keeper(validation, config)
    steps = steps_of_round(len(cases), training) if steps is None else steps
    sampler = Sampler(cases, replay, settings, training, rng)
    losses = _restored(resume, learner, keeper, sampler, rng)
    for step in range(len(losses) + 1, steps + 1):
        losses.append(learner.step(sampler.batches(), rate_at(step, steps)))
        sampler.learned(losses[-1])
        stopped = should_stop()
        settled = step > SETTLED_SHARE * steps and step % training.validate_every == 0
        if settled or step == steps:
            keeper.look_at(learner.live, learner.averaged)
        progress(RoundProgress(step, steps, losses[-1], keeper.best_dice))
        if resume is not None and (step % CHECKPOINT_STEPS == 0 or stopped):
            _keep(resume, learner, keeper, sampler, rng, losses)
        if stopped and step < steps:
            keeper.look_at(learner.live, learner.averaged)
            break
    weights = keeper.best or on_cpu(learner.averaged)
    return Candidate(weights, keeper.scores, len(losses), tuple(losses))


def rate_at(step: int, steps: int) -> float:
    """Share of the learning rate at `step`: a warm-up, then a cosine down to a fiftieth."""
    warm_up = max(LEAST_WARM_UP_STEPS, WARM_UP_SHARE * steps)
    cosine = 0.5 * (1.0 + math.cos(math.pi * (step - 1) / max(1, steps - 1)))
    return (FINAL_RATE + (1.0 - FINAL_RATE) * cosine) * min(1.0, step / warm_up)


def _keep(
    resume: Resume,
    learner: Learner,
    keeper: Keeper,
    sampler: Sampler,
    rng: np.random.Generator,
    losses: Sequence[float],
) -> None:
    tensors = learner.state() | {f"best.{n}": v for n, v in (keeper.best or {}).items()}
    values = {
        "key": resume.key,
        "losses": list(losses),
        "best_dice": keeper.best_dice,
        "scores": {case: s.to_json() for case, s in keeper.scores.items()},
        "sampler": sampler.state(),
        "random": rng.bit_generator.state,
    }
    write_checkpoint(resume.path, tensors, values)


def _restored(
    resume: Resume | None,
    learner: Learner,
    keeper: Keeper,
    sampler: Sampler,
    rng: np.random.Generator,
) -> list[float]:
    """Losses of the steps already taken, everything else put where it was; none without."""
    found = None if resume is None else read_checkpoint(resume.path, key=resume.key)
    if found is None:
        return []
    learner.restore(found.tensors)
    values: dict[str, Any] = found.values
    best = {n.removeprefix("best."): v for n, v in found.tensors.items() if n.startswith("best.")}
    keeper.best, keeper.best_dice = best or None, values["best_dice"]
    keeper.scores = {case: CaseScore.from_json(s) for case, s in values["scores"].items()}
    sampler.restore(values["sampler"])
    rng.bit_generator.state = values["random"]
    return [float(loss) for loss in values["losses"]]
