"""The network being trained, its optimiser and its moving average; all of it can be kept."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from core.config import ModelSettings, TrainingSettings
from model.losses import masked_loss
from model.predict import choose_device
from model.registry import Weights
from model.unet import UNet, fresh_network

EMA_DECAY = 0.99
LONGEST_GRADIENT = 5.0
WEIGHT_DECAY = 1e-3
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Learner:
    """Takes optimiser steps. `live` are the weights that learn, `averaged` their moving average."""

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

    def state(self) -> Weights:
        """Everything a later process needs to go on, as CPU tensors by name."""
        kept = {f"live.{n}": v for n, v in self.live.state_dict().items()}
        kept |= {f"averaged.{n}": v for n, v in self.averaged.state_dict().items()}
        for number, parameter in enumerate(self.live.parameters()):
            for moment, value in self.optimiser.state[parameter].items():
                kept[f"optimiser.{number}.{moment}"] = value
        kept["scale"] = torch.tensor(float(self.scaler.get_scale()))
        kept["steps"] = torch.tensor(self.steps)
        return {n: v.detach().to("cpu", copy=True).contiguous() for n, v in kept.items()}

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave; raises `KeyError` or `RuntimeError` if unfit."""
        self.live.load_state_dict(_part(kept, "live."))
        self.averaged.load_state_dict(_part(kept, "averaged."))
        for number, parameter in enumerate(self.live.parameters()):
            moments = {m: kept[f"optimiser.{number}.{m}"].to(self.device) for m in _MOMENTS}
            moments["step"] = moments["step"].cpu()  # where AdamW wants it
            self.optimiser.state[parameter] = moments
        if self.on_gpu:
            self.scaler.update(float(kept["scale"]))
        self.steps = int(kept["steps"])

    def _average(self) -> None:
        # Short memory at first, or the average would be mostly the start.
        decay = min(EMA_DECAY, (1 + self.steps) / (10 + self.steps))
        live = self.live.state_dict()
        with torch.no_grad():
            for name, kept in self.averaged.state_dict().items():
                # The running statistics of the norms are averaged with the weights they belong to.
                if kept.is_floating_point():
                    kept.lerp_(live[name], 1.0 - decay)


def on_cpu(network: UNet) -> Weights:
    """A copy of the network's weights on the CPU."""
    return {
        name: value.detach().to("cpu", copy=True).contiguous()
        for name, value in network.state_dict().items()
    }


def _part(kept: Mapping[str, Tensor], prefix: str) -> Weights:
    return {n.removeprefix(prefix): v for n, v in kept.items() if n.startswith(prefix)}
