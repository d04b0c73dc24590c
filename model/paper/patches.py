"""Which patch the published recipe learns next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from core.geometry import Mask
from model.paper.recipe import STRETCH, Annotated, PaperRecipe, Size, normalised, padded

# Draws until a patch that fits is taken for impossible, and one is laid about a painted voxel.
MOST_DRAWS = 200
Batch = tuple[Tensor, Tensor, Tensor]


class PatchSampler:
    """Draws batches: images in turn without replacement, patches at random where paint is."""

    def __init__(
        self,
        images: Sequence[Annotated],
        recipe: PaperRecipe,
        lost_voxels: int,
        rng: np.random.Generator,
        *,
        annotated_images: int,
    ) -> None:
        self._recipe = recipe
        self._lost = lost_voxels
        self._rng = rng
        self._forced = recipe.forced_share(annotated_images)
        size = recipe.patch_voxels
        self._images = [
            tuple(padded(part, lost_voxels, size) for part in (i.image, i.foreground, i.background))
            for i in images
            if i.labelled.any()
        ]
        self._left: list[int] = []

    def __len__(self) -> int:
        return len(self._images)

    def batch(self) -> Batch:
        """Image (batch, 1, *patch), foreground and labelled (batch, *output) as bool."""
        patches = [self._patch() for _ in range(self._recipe.batch_size)]
        image, foreground, labelled = (torch.stack(p) for p in zip(*patches, strict=True))
        return image, foreground, labelled

    def _patch(self) -> Batch:
        if not self._left:
            self._left = [int(n) for n in self._rng.permutation(len(self._images))]
        image, foreground, background = self._images[self._left.pop()]
        size, lost = self._recipe.patch_voxels, self._lost
        forced = bool(foreground.any()) and self._rng.random() < self._forced
        corner = self._corner(foreground, background, forced=forced)
        box = tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))
        inner = tuple(slice(c + lost, c + n - lost) for c, n in zip(corner, size, strict=True))
        painted = foreground[inner]
        return (
            torch.from_numpy(normalised(image[box]))[None],
            torch.from_numpy(painted.copy()),
            torch.from_numpy(painted | background[inner]),
        )

    def _corner(self, foreground: Mask, background: Mask, *, forced: bool) -> Size:
        """A corner whose patch holds paint: anywhere in it, or structure in its output."""
        size = self._recipe.patch_voxels
        room = [n - s for n, s in zip(foreground.shape, size, strict=True)]
        rim = self._lost if forced else 0
        for _ in range(MOST_DRAWS):
            corner = tuple(self._place(n) for n in room)
            box = tuple(slice(c + rim, c + s - rim) for c, s in zip(corner, size, strict=True))
            if foreground[box].any() or (not forced and background[box].any()):
                return _three(corner)
        wanted = np.argwhere(foreground if forced else foreground | background)
        middle = wanted[self._rng.integers(len(wanted))] - np.asarray(size) // 2
        return _three(np.clip(middle, 0, room))

    def _place(self, room: int) -> int:
        stretched = (self._rng.random() - 0.5) * STRETCH + 0.5
        return round(min(max(stretched, 0.0), 1.0) * room)


def _three(corner: Sequence[int] | np.ndarray) -> Size:
    first, second, third = (int(c) for c in corner)
    return first, second, third
