"""The networks being trained, their optimiser and moving average; all of it can be kept."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from core.config import TrainingSettings
from model.cascade import fresh_cascade
from model.losses import masked_loss
from model.precision import half_of, needs_scaling, training_autocast
from model.ranks import ALONE, Ranks
from model.registry import NetworkConfig, Weights

EMA_DECAY = 0.99
AGE_OF_FINISHED = 1_000
LONGEST_GRADIENT = 5.0
WEIGHT_DECAY = 1e-3
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Learner:
    """Takes optimiser steps. `live` are the weights that learn, `averaged` their moving average.

    Of several `ranks` each learns its own batches, and all go one and the same step.
    """

    def __init__(
        self,
        start: Mapping[str, Tensor] | None,
        config: NetworkConfig,
        device: torch.device,
        training: TrainingSettings,
        rng: np.random.Generator,
        ranks: Ranks = ALONE,
    ) -> None:
        self.device = device
        self.ranks = ranks
        cascade = fresh_cascade(config, seed=int(rng.integers(2**31)))
        if start is not None:
            cascade.load_state_dict(start)
        self.live = cascade.to(device).train()
        if half_of(device) is not None:
            self.live.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.live).eval()
        self.optimiser = torch.optim.AdamW(
            self.live.parameters(), training.learning_rate, weight_decay=WEIGHT_DECAY
        )
        self.top_rate = training.learning_rate
        self.scaler = torch.amp.GradScaler(device.type, enabled=needs_scaling(device))
        self.steps = 0
        # How many steps the average has seen; finished weights are worth many.
        self.age = 0 if start is None else AGE_OF_FINISHED

    def step(self, batches: Mapping[str, tuple[Tensor, Tensor, Tensor]], rate: float) -> float:
        """Take one optimiser step of both networks at `rate` times the learning rate; own loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.top_rate * rate
        self.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for name, network in self.live.stages().items():
            image, target, weight = (part.to(self.device) for part in batches[name])
            with training_autocast(self.device):
                logits = network(image)
            loss = masked_loss(logits.float(), target, weight)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        self._share()
        self.scaler.unscale_(self.optimiser)
        for network in self.live.stages().values():
            torch.nn.utils.clip_grad_norm_(network.parameters(), LONGEST_GRADIENT)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.steps += 1
        self.age += 1
        self._average()
        return total / len(batches)

    def state(self) -> Weights:
        """Everything a later process needs to go on, as CPU tensors by name."""
        kept = {f"live.{n}": v for n, v in self.live.state_dict().items()}
        kept |= {f"averaged.{n}": v for n, v in self.averaged.state_dict().items()}
        for number, parameter in enumerate(self.live.parameters()):
            for moment, value in self.optimiser.state[parameter].items():
                kept[f"optimiser.{number}.{moment}"] = value
        kept["scale"] = torch.tensor(float(self.scaler.get_scale()))
        kept["steps"] = torch.tensor(self.steps)
        kept["age"] = torch.tensor(self.age)
        return {n: v.detach().to("cpu", copy=True).contiguous() for n, v in kept.items()}

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave; raises `KeyError` or `RuntimeError` if unfit."""
        self.live.load_state_dict(_part(kept, "live."))
        self.averaged.load_state_dict(_part(kept, "averaged."))
        for number, parameter in enumerate(self.live.parameters()):
            if f"optimiser.{number}.step" not in kept:
                continue  # before the first step
            moments = {m: kept[f"optimiser.{number}.{m}"].to(self.device) for m in _MOMENTS}
            moments["step"] = moments["step"].cpu()  # where AdamW wants it
            self.optimiser.state[parameter] = moments
        if self.scaler.is_enabled():
            self.scaler.update(float(kept["scale"]))
        self.steps = int(kept["steps"])
        self.age = int(kept.get("age", kept["steps"]))  # earlier editions did not count it

    def _share(self) -> None:
        # Before it is known whether half precision overflowed: then all processes skip the step.
        # The statistics of the norms come from different patches in each, and are averaged too.
        if self.ranks.count > 1:
            gradients = [p.grad for p in self.live.parameters() if p.grad is not None]
            statistics = [b for b in self.live.buffers() if b.is_floating_point()]
            self.ranks.average([*gradients, *statistics])

    def _average(self) -> None:
        # Short memory after random weights, or the average would be mostly those.
        decay = min(EMA_DECAY, (1 + self.age) / (10 + self.age))
        # The running statistics of the norms are averaged with the weights they belong to.
        kept = [t for t in self.averaged.state_dict().values() if t.is_floating_point()]
        live = [t for t in self.live.state_dict().values() if t.is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_(kept, live, 1.0 - decay)


def on_cpu(network: nn.Module) -> Weights:
    """A copy of the weights on the CPU."""
    return {
        name: value.detach().to("cpu", copy=True).contiguous()
        for name, value in network.state_dict().items()
    }


def _part(kept: Mapping[str, Tensor], prefix: str) -> Weights:
    return {n.removeprefix(prefix): v for n, v in kept.items() if n.startswith(prefix)}
