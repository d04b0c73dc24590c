"""Which patch is learned next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from core.config import ModelSettings, TrainingSettings
from model.augment import random_patch
from model.samples import TrainingCase

FOREGROUND_SHARE = 0.6
# Away from the foreground by about this much, so that its outside is seen as often as its inside.
JITTER_MM = 24.0
REPLAY_SHARE = 0.3


class Sampler:
    """Draws batches of patches: most on the structure, some of them from `replay`.

    `replay` are cases that were learned before (phantoms of the starting model): without them a
    few patients make the network forget what they do not show.
    """

    def __init__(
        self,
        cases: Sequence[TrainingCase],
        replay: Sequence[TrainingCase],
        settings: ModelSettings,
        training: TrainingSettings,
        rng: np.random.Generator,
    ) -> None:
        self._cases = [(case, np.argwhere(case.target)) for case in cases]
        self._replay = [(case, np.argwhere(case.target)) for case in replay]
        self._size = training.patch_voxels
        self._batch_size = training.batch_size
        self._window_hu = settings.window_hu
        self._rng = rng

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Image, target and weight, each (batch, 1, *patch)."""
        patches = [self._patch() for _ in range(self._batch_size)]
        image, target, weight = (torch.stack(part) for part in zip(*patches, strict=True))
        return image, target, weight

    def _patch(self) -> tuple[Tensor, Tensor, Tensor]:
        again = bool(self._replay) and self._rng.random() < REPLAY_SHARE
        pool = self._replay if again else self._cases
        case, foreground = pool[int(self._rng.integers(len(pool)))]
        centre = self._centre(case, foreground)
        return random_patch(case, centre, self._size, window_hu=self._window_hu, rng=self._rng)

    def _centre(self, case: TrainingCase, foreground: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        shape = np.asarray(case.image.shape)
        if len(foreground) == 0 or self._rng.random() >= FOREGROUND_SHARE:
            return np.asarray(self._rng.integers(0, shape), np.intp)
        voxel = foreground[self._rng.integers(len(foreground))]
        away = self._rng.normal(0.0, JITTER_MM / np.asarray(case.spacing_mm))
        return np.asarray(np.clip(np.rint(voxel + away), 0, shape - 1), np.intp)
