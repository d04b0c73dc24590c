"""Patches of a case as other patients on other scanners might give them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from model.grey import another_scan
from model.samples import IN_STRUCTURE, WEIGHT_UNITS, Sample
from model.warp import (
    Index,
    Picked,
    Placement,
    Size,
    random_field_of_view,
    random_placement,
    seen,
)

AIR_HU = -1000
_DENSEST_HU = 1500


def random_patch(
    sample: Sample,
    centre: Index,
    size: Size,
    *,
    window_hu: tuple[float, float],
    rng: np.random.Generator,
    strength: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Image (-1..1), target (0 or 1) and weight of a patch about `centre`, each (1, *size).

    Turned, scaled and bent, at times cut by a shorter field of view, and shown as another scanner
    might. Beyond the volume there is air, and the weight is 0 (unlabelled). At `strength` 1 a
    network that saw phantoms alone finds the heart on real scans; the corrections of a site are
    learned faster with less.
    """
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    placement = random_placement(centre, size, sample.spacing_mm, rng, noise, strength)
    low, box = _box_of(placement, sample.shape)
    image, label = sample.image[box], sample.label[box]
    places = placement.places(low)
    picked = Picked.of(places, image.shape)
    above_air = np.clip(image, AIR_HU, _DENSEST_HU) - np.float32(AIR_HU)  # 0 is nothing
    hu = picked.linear(torch.from_numpy(above_air))
    labelled = picked.nearest(torch.from_numpy(label.astype(np.float32)))
    target = (labelled >= IN_STRUCTURE).float()
    weight = (labelled - target * IN_STRUCTURE) / WEIGHT_UNITS
    view = random_field_of_view(np.asarray(sample.shape), rng, strength)
    if view is not None:
        shown = seen(places, view, low)
        hu, target = hu * shown, target * shown
    return another_scan(hu + AIR_HU, target, window_hu, rng, noise, strength), target, weight


def _box_of(
    placement: Placement, shape: tuple[int, ...]
) -> tuple[Index, tuple[slice, slice, slice]]:
    """The part of the volume that a patch reaches, and its first index; never empty."""
    last = np.asarray(shape) - 1
    first, end = placement.bounds()
    low = np.clip(np.floor(first), 0, last).astype(int)
    high = np.clip(np.ceil(end), low, last).astype(int) + 1
    slices, rows, columns = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return low, (slices, rows, columns)
