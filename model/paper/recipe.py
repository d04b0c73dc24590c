"""What the published recipe is made of, as settings, and the image it learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.geometry import Mask

Size = tuple[int, int, int]
Image = npt.NDArray[Any]

FORCED_UNTIL_IMAGES = 90
# Corners are drawn from a range stretched by this and cut: the rim of an image is seen more often.
STRETCH = 1.2


@dataclass(frozen=True, slots=True)
class PaperRecipe:
    """The recipe as published; `patch_voxels` is (slice, row, column).

    `loss`: `published` lets unlabelled voxels into the loss, `corrected` does not.
    `forced_foreground`: for the first 90 images a patch must hold painted structure, at a chance
    that falls with their number (in the software since 2023, not in the paper).
    `restarts`: begin anew from random weights after `patience` epochs without progress.
    """

    patch_voxels: Size = (52, 228, 228)
    batch_size: int = 4
    loss: Literal["published", "corrected"] = "published"
    learning_rate: float = 0.01
    momentum: float = 0.99
    first_epoch_patches: int = 128
    least_epoch_patches: int = 64
    patience: int = 60
    restarts: bool = True
    forced_foreground: bool = True

    def patches_of_epoch(self, validation_patches: int) -> int:
        """128 without validation, else twice the validation patches and at least 64."""
        if validation_patches == 0:
            return self.first_epoch_patches
        return max(self.least_epoch_patches, 2 * validation_patches)

    def forced_share(self, images: int) -> float:
        """Chance that a patch must hold foreground, with `images` annotated ones."""
        return max(0, FORCED_UNTIL_IMAGES - images) / 100.0 if self.forced_foreground else 0.0


@dataclass(frozen=True, slots=True)
class Annotated:
    """An image cut to the box that the user drew, and what was painted in it; one grid.

    `image` is int16 or float32 HU. What is neither foreground nor background is unlabelled.
    """

    case_id: str
    image: Image
    foreground: Mask
    background: Mask

    @property
    def labelled(self) -> Mask:
        """Voxels that were painted either way."""
        return self.foreground | self.background


def normalised(patch: Image) -> npt.NDArray[np.float32]:
    """`patch` from its own minimum to its own maximum as 0..1; a constant one becomes 0.

    As published: the contrast depends on the brightest voxel of the patch.
    """
    values = patch.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if high == low:
        return np.zeros_like(values)
    return (values - np.float32(low)) / np.float32(high - low)


def padded(values: Image, lost: int, size: Size) -> Image:
    """`values` with `lost` zeros on each side, and more at the far end up to `size`.

    Zeros as published: for an image that is 0 HU, water.
    """
    after = [max(lost, s - n - lost) for n, s in zip(values.shape, size, strict=True)]
    return np.pad(values, [(lost, a) for a in after])


def tile_starts(length: int, size: int) -> list[int]:
    """Where tiles of `size` begin so that they cover `length`; the last one is shifted back."""
    if length <= size:
        return [0]
    return [*range(0, length - size, size), length - size]
