"""Where the voxels of a random patch come from: turned, scaled and bent, never mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the field's spelling
from torch import Tensor

ROTATION_RAD = 0.26
SCALE = (0.8, 1.25)
SCALE_SPREAD = 0.05  # of each axis by itself
BENT_SHARE = 0.8
BEND_MM = 9.0
CUT_SHARE = 0.3
CUT_SIDES_SHARE = 0.2

Index = npt.NDArray[np.intp]
Matrix = npt.NDArray[np.float64]
Size = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """What of a volume a scan shows: index ranges (slice, row, column), both ends included."""

    low: Matrix
    high: Matrix


def patch_places(
    centre: Index,
    size: Size,
    spacing_mm: tuple[float, float, float],
    rng: np.random.Generator,
    *,
    bends: Tensor,
) -> Tensor:
    """Fractional indices (3, *size) in the volume, (slice, row, column), about `centre`.

    `bends` (1, 3, n, n, n) is smooth noise of unit spread; it moves places by up to 9 mm.
    """
    affine = torch.from_numpy(small_affine(rng).astype(np.float32))
    slices, rows, columns = (torch.arange(n) - (n - 1) / 2 for n in size)
    places = (
        affine[:, 0, None, None, None] * slices[:, None, None]
        + affine[:, 1, None, None, None] * rows[:, None]
        + affine[:, 2, None, None, None] * columns
        + torch.from_numpy(np.asarray(centre, np.float32))[:, None, None, None]
    )
    if rng.random() < BENT_SHARE:
        voxels = rng.uniform(0, BEND_MM) / torch.tensor(spacing_mm)
        places += spread_out(bends * voxels.view(1, 3, 1, 1, 1), size)[0]
    return places


def small_affine(rng: np.random.Generator) -> Matrix:
    """A random 3 x 3 map from patch offsets to volume offsets, both (slice, row, column) voxels.

    Rotations of at most 0.26 rad about each axis, one scale of 0.8 to 1.25 and a little of each
    axis; the determinant is positive, so nothing is mirrored: the heart is on the left.
    """
    angles = rng.uniform(-ROTATION_RAD, ROTATION_RAD, 3)
    (c0, c1, c2), (s0, s1, s2) = np.cos(angles), np.sin(angles)
    about_slice = np.array([[1, 0, 0], [0, c0, -s0], [0, s0, c0]])
    about_row = np.array([[c1, 0, s1], [0, 1, 0], [-s1, 0, c1]])
    about_column = np.array([[c2, -s2, 0], [s2, c2, 0], [0, 0, 1]])
    low, high = np.log(SCALE)
    scales = np.exp(rng.uniform(low, high)) * np.exp(rng.normal(0, SCALE_SPREAD, 3))
    return np.asarray(about_column @ about_row @ about_slice * scales, np.float64)


def random_field_of_view(shape: Index, rng: np.random.Generator) -> FieldOfView:
    """The whole volume, or one that ends within the chest as many scans do."""
    low, high = np.zeros(3), np.asarray(shape - 1.0, np.float64)
    if rng.random() < CUT_SHARE:
        low[0] = rng.uniform(0, 0.45) * shape[0]
    if rng.random() < CUT_SHARE:
        high[0] = rng.uniform(0.55, 1) * shape[0]
    if rng.random() < CUT_SIDES_SHARE:
        low[1:] = rng.uniform(0, 0.25, 2) * shape[1:]
        high[1:] = rng.uniform(0.75, 1, 2) * shape[1:]
    return FieldOfView(low, high)


def seen(places: Tensor, view: FieldOfView) -> Tensor:
    """Which of `places` (3, *size) lie in the field of view."""
    inside = torch.ones(places.shape[1:], dtype=torch.bool)
    for axis, (low, high) in enumerate(zip(view.low, view.high, strict=True)):
        inside &= (places[axis] >= low) & (places[axis] <= high)
    return inside


def pick(volumes: Tensor, places: Tensor) -> Tensor:
    """`volumes` (channels, slices, rows, columns) at `places` (3, *size): (channels, *size).

    Trilinear; 0 beyond the volume.
    """
    shape = volumes.shape[1:]
    # grid_sample wants -1..1 from edge to edge, and (column, row, slice) last.
    unit = [(places[axis] + 0.5) * (2.0 / shape[axis]) - 1.0 for axis in (2, 1, 0)]
    grid = torch.stack(unit, dim=-1)[None]
    return F.grid_sample(volumes[None], grid, padding_mode="zeros", align_corners=False)[0]


def spread_out(coarse: Tensor, size: Size) -> Tensor:
    """A coarse lattice (1, channels, n, n, n) as a smooth field (1, channels, *size)."""
    return F.interpolate(coarse, size=size, mode="trilinear", align_corners=True)
