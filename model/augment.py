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
Index = npt.NDArray[np.intp]
Matrix = npt.NDArray[np.float64]


def random_patch(
    case: TrainingCase, centre: Index, size: tuple[int, int, int], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Image, target (0 or 1) and weight of a patch about `centre`, each (1, *size).

    It is turned, scaled and changed in grey a little. Beyond the volume the image goes on as at
    its border and the weight is 0 (unlabelled).
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
    target = _pick(case.target[box], places, mode="bilinear", outside="border") > 0.5
    weight = _pick(case.weight[box], places, mode="nearest", outside="zeros")
    return _change_grey(image, rng), target.float(), weight


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


def _change_grey(image: Tensor, rng: np.random.Generator) -> Tensor:
    gain, offset = 1.0 + rng.uniform(-GAIN, GAIN), rng.uniform(-OFFSET, OFFSET)
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0, NOISE))
    return image * gain + offset + torch.from_numpy(noise)
