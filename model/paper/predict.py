"""What a network of the published recipe proposes within the user's box, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import torch

from core.geometry import Mask
from model.paper.network import PairNetwork
from model.paper.recipe import Annotated, Image, Size, normalised, padded, tile_starts

Box = tuple[slice, slice, slice]


def predict_in_box(network: PairNetwork, image: Image, patch_voxels: Size) -> Mask:
    """The structure in `image`, HU already cut to the user's box.

    As published: tiles side by side, each normalised by itself, nothing blended, every component
    kept. A tile that would pass the end is shifted back.
    """
    found = np.zeros(image.shape, bool)
    for box, structure in _tiles(network, image, patch_voxels):
        found[box] = structure
    return found


def annotated_patches(images: Sequence[Annotated], patch_voxels: Size, lost_voxels: int) -> int:
    """How many tiles of the output's size hold paint: v in the length of an epoch."""
    return sum(
        bool(i.labelled[box].any())
        for i in images
        for box in _boxes(i.image.shape, patch_voxels, lost_voxels)
    )


def pooled_dice(network: PairNetwork, images: Sequence[Annotated], patch_voxels: Size) -> float:
    """Dice over all painted voxels of all `images` together; 0 where nothing is right."""
    right = wrong = 0
    for image in images:
        found = predict_in_box(network, image.image, patch_voxels)
        right += int((found & image.foreground).sum())
        wrong += int((found & image.background).sum() + (~found & image.foreground).sum())
    return 2.0 * right / (2.0 * right + wrong) if right else 0.0


def _tiles(network: PairNetwork, image: Image, patch_voxels: Size) -> Iterator[tuple[Box, Mask]]:
    lost = network.lost_voxels
    with_rim = padded(image, lost, patch_voxels)
    for box in _boxes(image.shape, patch_voxels, lost):
        seen = tuple(slice(b.start, b.start + n) for b, n in zip(box, patch_voxels, strict=True))
        x = torch.from_numpy(normalised(with_rim[seen]))[None, None]
        with torch.inference_mode():
            logits = network(x)[0]
        structure = (logits[1] > logits[0]).numpy()
        yield box, structure[tuple(slice(0, b.stop - b.start) for b in box)]


def _boxes(shape: tuple[int, ...], patch_voxels: Size, lost: int) -> Iterator[Box]:
    output = [n - 2 * lost for n in patch_voxels]
    starts = [tile_starts(n, size) for n, size in zip(shape, output, strict=True)]
    for corner in product(*starts):
        first, second, third = (
            slice(c, min(c + size, n)) for c, size, n in zip(corner, output, shape, strict=True)
        )
        yield first, second, third
