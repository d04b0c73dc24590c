"""One round of learning: from approved cases to a candidate, the best weights it passed through."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.config import ModelSettings, TrainingSettings
from model.augment import random_patch
from model.losses import masked_loss
from model.metrics import dice_by_case, mean
from model.predict import choose_device
from model.registry import Weights
from model.samples import TrainingCase
from model.unet import UNet, fresh_network

FOREGROUND_SHARE = 0.5
EMA_DECAY = 0.98
LONGEST_GRADIENT = 5.0
WEIGHT_DECAY = 1e-3
WARM_UP_STEPS = 10
# Weights that shine by luck while the learning rate is high must not win on a few cases.
SETTLED_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """Where a round stands; `validation_dice` is the best so far, None before the first look."""

    step: int
    steps: int
    loss: float
    validation_dice: float | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a round ends with: CPU weights and their Dice on each validation case.

    Without validation cases `dice_by_case` is empty and the weights are the last averaged ones.
    """

    weights: Weights
    dice_by_case: dict[str, float]
    steps: int
    losses: tuple[float, ...]

    @property
    def validation_dice(self) -> float:
        """Mean Dice over the validation cases; 0 without any."""
        return mean(self.dice_by_case)


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
    training: TrainingSettings,
    rng: np.random.Generator,
    progress: Callable[[RoundProgress], None],
    should_stop: Callable[[], bool],
) -> Candidate:
    """The best weights of one round over `cases`, measured on the whole `validation` volumes.

    Starts from `start`, or from fresh weights. Every `validate_every` steps the live and the
    averaged weights are looked at and the best kept: live weights may collapse between two looks.
    `should_stop` is asked after each step; a stopped round still gives its best weights.
    """
    if not cases:
        raise ValueError("A round needs at least one training case.")
    torch.set_num_threads(settings.threads)
    learner = _Learner(start, settings, training, rng)
    keeper = _Keeper(validation, learner.device)
    steps = steps_of_round(len(cases), training)
    sampler = _Sampler(cases, training, rng)
    losses: list[float] = []
    for step in range(1, steps + 1):
        losses.append(learner.step(sampler.batch(), _rate(step, steps)))
        stopped = should_stop()
        settled = step > SETTLED_SHARE * steps and step % training.validate_every == 0
        if settled or step == steps or stopped:
            keeper.look_at(learner.live, learner.averaged)
        progress(RoundProgress(step, steps, losses[-1], keeper.best_dice))
        if stopped:
            break
    weights = keeper.best or _on_cpu(learner.averaged)
    return Candidate(weights, keeper.dice_by_case, len(losses), tuple(losses))


class _Learner:
    """The network being trained and its moving average."""

    def __init__(
        self,
        start: Mapping[str, Tensor] | None,
        settings: ModelSettings,
        training: TrainingSettings,
        rng: np.random.Generator,
    ) -> None:
        self.device = choose_device(settings)
        self.on_gpu = self.device.type == "cuda"
        network = fresh_network(settings.widths, seed=int(rng.integers(2**31)))
        if start is not None:
            network.load_state_dict(start)
        self.live = network.to(self.device).train()
        if self.on_gpu:
            self.live.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.live).eval()
        self.optimiser = torch.optim.AdamW(
            self.live.parameters(), training.learning_rate, weight_decay=WEIGHT_DECAY
        )
        self.top_rate = training.learning_rate
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.on_gpu)
        self.steps = 0

    def step(self, batch: tuple[Tensor, Tensor, Tensor], rate: float) -> float:
        """Take one optimiser step at `rate` times the configured learning rate; its loss."""
        image, target, weight = (part.to(self.device) for part in batch)
        for group in self.optimiser.param_groups:
            group["lr"] = self.top_rate * rate
        with torch.autocast(self.device.type, enabled=self.on_gpu):
            logits = self.live(image)
        loss = masked_loss(logits.float(), target, weight)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimiser)
        torch.nn.utils.clip_grad_norm_(self.live.parameters(), LONGEST_GRADIENT)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.steps += 1
        self._average()
        return float(loss.detach())

    def _average(self) -> None:
        # Short memory at first, or the average would be mostly the start.
        decay = min(EMA_DECAY, (1 + self.steps) / (10 + self.steps))
        live = self.live.state_dict()
        with torch.no_grad():
            for name, kept in self.averaged.state_dict().items():
                # The running statistics of the norms are averaged with the weights they belong to.
                if kept.is_floating_point():
                    kept.lerp_(live[name], 1.0 - decay)


class _Keeper:
    """The best weights seen, by mean Dice on whole validation volumes."""

    def __init__(self, validation: Sequence[TrainingCase], device: torch.device) -> None:
        self.validation = validation
        self.device = device
        self.best: Weights | None = None
        self.best_dice: float | None = None
        self.dice_by_case: dict[str, float] = {}

    def look_at(self, *networks: UNet) -> None:
        """Measure the networks and keep the best one, if it beats what is kept."""
        for network in networks if self.validation else ():
            scores = dice_by_case(network, self.validation, self.device)
            if self.best_dice is None or mean(scores) > self.best_dice:
                self.best, self.best_dice = _on_cpu(network), mean(scores)
                self.dice_by_case = scores


class _Sampler:
    """Draws batches of patches, most of them on the structure."""

    def __init__(
        self, cases: Sequence[TrainingCase], training: TrainingSettings, rng: np.random.Generator
    ) -> None:
        self.cases = cases
        self.foreground = [np.argwhere(case.target) for case in cases]
        self.size = training.patch_voxels
        self.batch_size = training.batch_size
        self.rng = rng

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Image, target and weight, each (batch, 1, *patch)."""
        patches = [self._patch() for _ in range(self.batch_size)]
        image, target, weight = (torch.stack(part) for part in zip(*patches, strict=True))
        return image, target, weight

    def _patch(self) -> tuple[Tensor, Tensor, Tensor]:
        number = int(self.rng.integers(len(self.cases)))
        case, foreground = self.cases[number], self.foreground[number]
        shape, size = np.asarray(case.image.shape), np.asarray(self.size)
        if len(foreground) and self.rng.random() < FOREGROUND_SHARE:
            jitter = size // 3
            centre = foreground[self.rng.integers(len(foreground))]
            centre = centre + self.rng.integers(-jitter, jitter + 1)
        else:
            centre = self.rng.integers(0, shape)
        # Inside the volume where it is large enough: a patch half outside teaches half as much.
        centre = np.clip(
            centre, np.minimum(size // 2, shape // 2), np.maximum(shape - size // 2, shape // 2)
        )
        return random_patch(case, centre, self.size, self.rng)


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate at `step`: a short warm-up, then a cosine down to a tenth."""
    cosine = 0.1 + 0.9 * 0.5 * (1.0 + math.cos(math.pi * (step - 1) / max(1, steps - 1)))
    return cosine * min(1.0, step / WARM_UP_STEPS)


def _on_cpu(network: UNet) -> Weights:
    return {
        name: value.detach().to("cpu", copy=True).contiguous()
        for name, value in network.state_dict().items()
    }
