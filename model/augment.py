"""Patches of a case as other patients on other scanners might give them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from model.grey import another_scan
from model.samples import TrainingCase
from model.warp import Index, Size, patch_places, pick, random_field_of_view, seen

AIR_HU = -1000.0
_DENSEST_HU = 1500.0


def random_patch(
    case: TrainingCase,
    centre: Index,
    size: Size,
    *,
    window_hu: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Image (-1..1), target (0 or 1) and weight of a patch about `centre`, each (1, *size).

    Turned, scaled and bent, at times cut by a shorter field of view, and shown as another scanner
    might. Beyond the volume there is air, and the weight is 0 (unlabelled). The randomness is
    strong on purpose: with it a network that saw phantoms alone finds the heart on real scans.
    """
    noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
    bends = torch.randn((1, 3, 5, 5, 5), generator=noise)
    places = patch_places(centre, size, case.spacing_mm, rng, bends=bends)
    low, box = _box_of(places, case.image.shape)
    shown = seen(places, random_field_of_view(np.asarray(case.image.shape), rng))
    places -= torch.from_numpy(low.astype(np.float32))[:, None, None, None]
    picked = pick(_above_air(case, box), places)
    hu = picked[:1] * shown + AIR_HU
    target = ((picked[1:2] > 0.5) & shown).float()
    return another_scan(hu, target, window_hu, rng, noise), target, picked[2:]


def _above_air(case: TrainingCase, box: tuple[slice, slice, slice]) -> Tensor:
    """HU above air, target and weight of a part of the case, one channel each: 0 is nothing."""
    hu = np.clip(case.image[box], AIR_HU, _DENSEST_HU) - np.float32(AIR_HU)
    return torch.from_numpy(np.stack([hu, case.target[box], case.weight[box]], dtype=np.float32))


def _box_of(places: Tensor, shape: tuple[int, ...]) -> tuple[Index, tuple[slice, slice, slice]]:
    """The part of the volume that the places reach, and its first index; never empty."""
    flat = places.flatten(1)
    last = np.asarray(shape) - 1
    low = np.clip(np.floor(flat.amin(1).numpy()), 0, last).astype(int)
    high = np.clip(np.ceil(flat.amax(1).numpy()), low, last).astype(int) + 1
    slices, rows, columns = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return low, (slices, rows, columns)
