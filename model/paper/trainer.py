"""The published trainer: it goes on for as long as it is let, and keeps the best it has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from model.paper.losses import corrected_loss, published_loss
from model.paper.network import OursAsPair, PaperNetwork
from model.paper.patches import PatchSampler
from model.paper.predict import annotated_patches, pooled_dice
from model.paper.recipe import Annotated, PaperRecipe

Network = PaperNetwork | OursAsPair
Weights = dict[str, Tensor]


class PaperTrainer:
    """Trains as published; `best` is the newest saved model, None before the first.

    `build(seed)` gives a network with random weights, for the start and for each restart.
    """

    def __init__(self, recipe: PaperRecipe, build: Callable[[int], Network], *, seed: int) -> None:
        self.recipe = recipe
        self._build = build
        self._seed = seed
        self.restarts = 0
        self.steps = 0
        self.epochs_without_progress = 0
        self.best: Weights | None = None
        self.best_dice = 0.0
        self.saved_at: int | None = None  # the step of the newest saved model
        self._known: tuple[str, ...] = ()
        self._patches_done = 0
        self._begin()

    def learn(
        self, train: Sequence[Annotated], validation: Sequence[Annotated], *, steps: int
    ) -> None:
        """Take `steps` more optimiser steps over the images known by now.

        At the end of an epoch, which may take several calls, the network is saved as best if its
        Dice over the painted voxels of `validation` is strictly higher; without validation always.
        """
        self._notice(train, validation)
        recipe, lost = self.recipe, self._live.lost_voxels
        known = len(train) + len(validation)
        rng = np.random.default_rng([self._seed, self.steps])
        sampler = PatchSampler(train, recipe, lost, rng, annotated_images=known)
        if not len(sampler):
            return
        epoch = recipe.patches_of_epoch(annotated_patches(validation, recipe.patch_voxels, lost))
        for _ in range(steps):
            self._step(sampler)
            if self._patches_done >= epoch:
                self._patches_done = 0
                self._end_epoch(validation)

    def state(self) -> tuple[Weights, dict[str, Any]]:
        """Everything a later process needs to go on: tensors, and plain values."""
        tensors = {f"live.{n}": v for n, v in self._live.state_dict().items()}
        tensors |= {f"best.{n}": v for n, v in (self.best or {}).items()}
        for number, parameter in enumerate(self._live.parameters()):
            kept = self._optimiser.state[parameter].get("momentum_buffer")
            if kept is not None:
                tensors[f"momentum.{number}"] = kept
        values = {
            "restarts": self.restarts,
            "steps": self.steps,
            "epochs_without_progress": self.epochs_without_progress,
            "best_dice": self.best_dice,
            "saved_at": self.saved_at,
            "known": list(self._known),
            "patches_done": self._patches_done,
        }
        return {n: v.detach().clone().contiguous() for n, v in tensors.items()}, values

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.restarts, self.steps = int(values["restarts"]), int(values["steps"])
        self._begin()
        self.epochs_without_progress = int(values["epochs_without_progress"])
        self.best_dice = float(values["best_dice"])
        self.saved_at = values["saved_at"]
        self._known = tuple(values["known"])
        self._patches_done = int(values["patches_done"])
        self._live.load_state_dict(_part(tensors, "live."))
        self.best = _part(tensors, "best.") or None
        for number, parameter in enumerate(self._live.parameters()):
            if f"momentum.{number}" in tensors:
                kept = tensors[f"momentum.{number}"].clone()
                self._optimiser.state[parameter]["momentum_buffer"] = kept

    def best_network(self) -> Network | None:
        """The saved model, ready to predict; None before the first."""
        if self.best is None:
            return None
        network = self._build(self._seed)
        network.load_state_dict(self.best)
        return network.eval()

    def _begin(self) -> None:
        self._live = self._build(self._seed + self.restarts).train()
        self._optimiser = torch.optim.SGD(
            self._live.parameters(),
            self.recipe.learning_rate,
            momentum=self.recipe.momentum,
            nesterov=True,
        )

    def _notice(self, train: Sequence[Annotated], validation: Sequence[Annotated]) -> None:
        """New images give it patience again, and the saved model is measured on them."""
        known = tuple(i.case_id for i in (*train, *validation))
        if known == self._known:
            return
        self._known, self.epochs_without_progress = known, 0
        best = self.best_network()
        if best is not None:
            self.best_dice = pooled_dice(best, validation, self.recipe.patch_voxels)

    def _step(self, sampler: PatchSampler) -> None:
        image, foreground, labelled = sampler.batch()
        measure = published_loss if self.recipe.loss == "published" else corrected_loss
        self._optimiser.zero_grad(set_to_none=True)
        measure(self._live(image), foreground, labelled).backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.steps += 1
        self._patches_done += self.recipe.batch_size

    def _end_epoch(self, validation: Sequence[Annotated]) -> None:
        found = 0.0
        if validation:
            self._live.eval()
            found = pooled_dice(self._live, validation, self.recipe.patch_voxels)
            self._live.train()
        if not validation or self.best is None or found > self.best_dice:
            self.best_dice, self.epochs_without_progress = found, 0
            self.best, self.saved_at = _copy(self._live), self.steps
            return
        self.epochs_without_progress += 1
        if self.recipe.restarts and self.epochs_without_progress >= self.recipe.patience:
            self.restarts += 1
            self.epochs_without_progress = 0
            self._begin()


def _copy(network: nn.Module) -> Weights:
    return {n: v.detach().clone() for n, v in network.state_dict().items()}


def _part(kept: Mapping[str, Tensor], prefix: str) -> Weights:
    return {n.removeprefix(prefix): v for n, v in kept.items() if n.startswith(prefix)}
