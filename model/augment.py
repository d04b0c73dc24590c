"""Patches with small random changes; never a mirror image, for the heart is on the left."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the field's spelling
from torch import Tensor

from model.samples import TrainingCase

ROTATION_RAD = 0.15
SCALE = 0.12
GAIN = 0.15
OFFSET = 0.10
NOISE = 0.06
ENHANCED_SHARE = 0.6
REMAPPED_SHARE = 0.4
# How far the grey at each knot of the window (-1..1) may wander: air hardly, enhanced blood most.
GREY_KNOTS = np.array([-1.3, -0.75, -0.55, -0.2, 0.0, 0.2, 0.45, 1.0])
GREY_SPREAD = np.array([0.05, 0.12, 0.15, 0.2, 0.2, 0.2, 0.25, 0.3])
Index = npt.NDArray[np.intp]
Matrix = npt.NDArray[np.float64]


def random_patch(
    case: TrainingCase, centre: Index, size: tuple[int, int, int], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Image, target (0 or 1) and weight of a patch about `centre`, each (1, *size).

    It is turned and scaled a little, and changed in grey so that contrast medium, which half of
    the first patients may or may not have had, does not become the mark of the structure. Beyond
    the volume the image goes on as at its border and the weight is 0 (unlabelled).
    """
    affine = small_affine(rng)
    # Enough tissue around the patch that turning it brings no made-up border in.
    reach = np.abs(affine) @ (np.asarray(size) / 2) + 1
    shape = np.asarray(case.image.shape)
    low = np.clip(np.floor(centre - reach), 0, shape - 1).astype(int)
    high = np.clip(np.ceil(centre + reach) + 1, 1, shape).astype(int)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    places = _places(affine, centre - low, high - low, size)
    image = _pick(case.image[box], places, mode="bilinear", outside="border")
    target = (_pick(case.target[box], places, mode="bilinear", outside="border") > 0.5).float()
    weight = _pick(case.weight[box], places, mode="nearest", outside="zeros")
    return change_grey(image, target, rng), target, weight


def small_affine(rng: np.random.Generator) -> Matrix:
    """A random 3 x 3 map from patch offsets to volume offsets, both (slice, row, column) voxels.

    Rotations of at most 0.15 rad about each axis, scales within 12 %; the determinant is positive,
    so nothing is mirrored.
    """
    angles = rng.uniform(-ROTATION_RAD, ROTATION_RAD, 3)
    (c0, c1, c2), (s0, s1, s2) = np.cos(angles), np.sin(angles)
    about_slice = np.array([[1, 0, 0], [0, c0, -s0], [0, s0, c0]])
    about_row = np.array([[c1, 0, s1], [0, 1, 0], [-s1, 0, c1]])
    about_column = np.array([[c2, -s2, 0], [s2, c2, 0], [0, 0, 1]])
    scales = 1.0 + rng.uniform(-SCALE, SCALE, 3)
    return np.asarray(about_column @ about_row @ about_slice * scales, np.float64)


def _places(affine: Matrix, centre: Index, shape: Index, size: tuple[int, int, int]) -> Tensor:
    """Where each patch voxel is picked, as grid_sample wants it: -1..1, (column, row, slice)."""
    offsets = np.moveaxis(np.indices(size), 0, -1) - (np.asarray(size) - 1) / 2
    index = offsets @ affine.T + centre
    unit = (2.0 * index + 1.0) / shape - 1.0
    return torch.from_numpy(unit[..., ::-1].astype(np.float32))[None]


def _pick(values: npt.NDArray[np.generic], places: Tensor, *, mode: str, outside: str) -> Tensor:
    volume = torch.from_numpy(values.astype(np.float32))[None, None]
    return F.grid_sample(volume, places, mode=mode, padding_mode=outside, align_corners=False)[0]


def change_grey(image: Tensor, target: Tensor, rng: np.random.Generator) -> Tensor:
    """`image` (1, slices, rows, columns), -1..1, as another scan of the patient might show it.

    The structure takes up contrast medium or loses it, all tissues change their grey a little, and
    gain, offset and noise are the scanner's.
    """
    if rng.random() < ENHANCED_SHARE:
        image = image + _contrast_medium(target, rng) * (image > -0.9)
    if rng.random() < REMAPPED_SHARE:
        moved = GREY_KNOTS + rng.standard_normal(len(GREY_KNOTS)) * GREY_SPREAD * rng.uniform(
            0, 1.4
        )
        image = torch.from_numpy(np.interp(image.numpy(), GREY_KNOTS, moved).astype(np.float32))
    gain, offset = 1.0 + rng.uniform(-GAIN, GAIN), rng.uniform(-OFFSET, OFFSET)
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0, NOISE))
    return torch.clamp(image * gain + offset + torch.from_numpy(noise), -1.3, 1.3)


def _contrast_medium(target: Tensor, rng: np.random.Generator) -> Tensor:
    """Uneven grey to add inside the structure, with a soft edge."""
    inside = F.avg_pool3d(target[None], 3, 1, 1)[0]
    level = rng.uniform(-0.15, 0.15) if rng.random() < 0.4 else rng.uniform(0.0, 1.2)
    coarse = torch.from_numpy(rng.standard_normal((1, 1, 5, 5, 5), dtype=np.float32))
    uneven = F.interpolate(coarse, size=target.shape[1:], mode="trilinear", align_corners=True)[0]
    return inside * (level + 0.4 * abs(level) * uneven)
