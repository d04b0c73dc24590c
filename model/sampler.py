"""Which patch is learned next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from core.config import ModelSettings, TrainingSettings
from model.augment import random_patch
from model.cascade import STAGES
from model.samples import Sample, TrainingCase

FOREGROUND_SHARE = 0.6
# Away from the foreground by about this much, so that its outside is seen as often as its inside.
JITTER_MM = 24.0
# The fine network never sees more than a box around the structure.
NEIGHBOURHOOD_MM = 50.0
REPLAY_SHARE = 0.3
# A case is drawn up to this much more often than another because its loss is higher.
HARDEST, EASIEST = 2.0, 0.5
_MEMORY = 0.9

Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a sample patches are centred: near `spoken_of`, or anywhere from `low` to `high`.

    `spoken_of` is the structure, or what was painted where nothing else is labelled: then a patch
    anywhere else would teach nothing.
    """

    spoken_of: npt.NDArray[np.intp]
    sparse: bool
    low: npt.NDArray[np.intp]
    high: npt.NDArray[np.intp]


class Sampler:
    """Draws batches of patches for both networks: most on the structure, some from `replay`.

    `replay` are cases that were learned before (phantoms of the starting model): without them a
    few patients make the network forget what they do not show. Among `cases` new and hard ones
    come more often: by their `emphasis`, and by the loss that `learned` was told.
    """

    def __init__(
        self,
        cases: Sequence[TrainingCase],
        replay: Sequence[TrainingCase],
        settings: ModelSettings,
        training: TrainingSettings,
        rng: np.random.Generator,
    ) -> None:
        self._cases, self._replay = tuple(cases), tuple(replay)
        self._places = {
            stage: [_place(case.stage(stage), stage) for case in (*cases, *replay)]
            for stage in STAGES
        }
        self._sizes = {"coarse": settings.coarse.patch_voxels, "fine": settings.fine.patch_voxels}
        self._batch_size = training.batch_size
        self._window_hu = settings.window_hu
        self._strength = training.augmentation
        self._rng = rng
        self._losses = np.full(len(self._cases), np.nan)
        self._drawn: list[int] = []

    def batches(self) -> dict[str, Batch]:
        """For each network image, target and weight, each (batch, 1, *patch), of the same cases."""
        self._drawn = [self._draw() for _ in range(self._batch_size)]
        return {stage: self._batch(stage) for stage in STAGES}

    def learned(self, loss: float) -> None:
        """What the batches drawn last cost: their cases become more or less frequent."""
        for number in self._drawn:
            if number < len(self._cases):
                before = self._losses[number]
                kept = loss if np.isnan(before) else _MEMORY * before + (1 - _MEMORY) * loss
                self._losses[number] = kept

    def state(self) -> dict[str, Any]:
        """What must be kept to draw on as if nothing had happened, besides the random numbers."""
        return {"losses": [None if np.isnan(x) else float(x) for x in self._losses]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._losses = np.array([np.nan if x is None else x for x in state["losses"]], float)

    def _draw(self) -> int:
        if self._replay and self._rng.random() < REPLAY_SHARE:
            return len(self._cases) + int(self._rng.integers(len(self._replay)))
        return int(self._rng.choice(len(self._cases), p=self._shares()))

    def _shares(self) -> npt.NDArray[np.float64]:
        known = np.nanmean(self._losses) if not np.isnan(self._losses).all() else 1.0
        hard = np.clip(np.nan_to_num(self._losses / known, nan=1.0), EASIEST, HARDEST)
        shares = hard * np.array([case.emphasis for case in self._cases])
        return np.asarray(shares / shares.sum(), np.float64)

    def _batch(self, stage: str) -> Batch:
        patches = [self._patch(stage, number) for number in self._drawn]
        image, target, weight = (torch.stack(part) for part in zip(*patches, strict=True))
        return image, target, weight

    def _patch(self, stage: str, number: int) -> Batch:
        cases = (*self._cases, *self._replay)
        sample = cases[number].stage(stage)
        centre = self._centre(sample, self._places[stage][number])
        size, window_hu = self._sizes[stage], self._window_hu
        return random_patch(
            sample, centre, size, window_hu=window_hu, rng=self._rng, strength=self._strength
        )

    def _centre(self, sample: Sample, place: _Place) -> npt.NDArray[np.intp]:
        anywhere = not place.sparse and self._rng.random() >= FOREGROUND_SHARE
        if len(place.spoken_of) == 0 or anywhere:
            return np.asarray(self._rng.integers(place.low, place.high), np.intp)
        voxel = place.spoken_of[self._rng.integers(len(place.spoken_of))]
        away = self._rng.normal(0.0, JITTER_MM / np.asarray(sample.spacing_mm))
        last = np.asarray(sample.shape) - 1
        return np.asarray(np.clip(np.rint(voxel + away), 0, last), np.intp)


def _place(sample: Sample, stage: str) -> _Place:
    labelled = sample.weight > 0
    sparse = not labelled.all()
    spoken_of = np.argwhere(labelled if sparse else sample.target)
    shape = np.asarray(sample.shape)
    low, high = np.zeros(3, int), shape
    if stage == "fine" and len(spoken_of):
        around = np.rint(NEIGHBOURHOOD_MM / np.asarray(sample.spacing_mm)).astype(int)
        low = np.maximum(spoken_of.min(0) - around, 0)
        high = np.minimum(spoken_of.max(0) + 1 + around, shape)
    return _Place(spoken_of, sparse, low, high)
