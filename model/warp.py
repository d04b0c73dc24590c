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
BEND_NODES = 5
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


@dataclass(frozen=True, slots=True)
class Placement:
    """Which places of a volume a patch shows, as fractional indices (slice, row, column).

    Voxel (s, r, c) of a patch of `size` shows `centre` + `affine` @ (its distance from the middle)
    + a smooth bend through `bends` (3, n, n, n), nodes from end to end, in voxels.
    """

    centre: Index
    size: Size
    affine: Matrix
    bends: Tensor

    def bounds(self) -> tuple[Matrix, Matrix]:
        """Indices that no place of the patch lies below or above."""
        half = (np.asarray(self.size) - 1) / 2
        reach = np.abs(self.affine) @ half + self.bends.abs().amax((1, 2, 3)).numpy()
        return self.centre - reach, self.centre + reach

    def grid(self, low: Index, shape: tuple[int, ...]) -> Tensor:
        """The places in the part of the volume that begins at `low`, as grid_sample wants them.

        (1, *size, 3): -1 to 1 from edge to edge of `shape`, (column, row, slice) last.
        """
        scale = 2.0 / np.asarray(shape)
        slices, rows, columns = (torch.arange(n) - (n - 1) / 2 for n in self.size)
        steps = torch.from_numpy((self.affine * scale[:, None])[::-1].astype(np.float32))
        start = torch.from_numpy(((self.centre - low + 0.5) * scale - 1.0)[::-1].astype(np.float32))
        plane = rows[:, None, None] * steps[:, 1] + (columns[:, None] * steps[:, 2] + start)
        grid = (slices[:, None] * steps[:, 0])[:, None, None] + plane
        bends = self.bends.flip(0) * torch.from_numpy(scale[::-1].astype(np.float32)).view(
            3, 1, 1, 1
        )
        if bends.any():
            grid += spread_out(bends, self.size).movedim(0, -1)
        return grid[None]


def random_placement(
    centre: Index,
    size: Size,
    spacing_mm: tuple[float, float, float],
    rng: np.random.Generator,
    noise: torch.Generator,
    strength: float,
) -> Placement:
    """A patch about `centre`, turned and scaled, and mostly bent, at random.

    At `strength` 1 by up to 9 mm; less, the lower it is.
    """
    affine = small_affine(rng, strength)
    bends = torch.randn((3, BEND_NODES, BEND_NODES, BEND_NODES), generator=noise)
    reach_mm = rng.uniform(0, BEND_MM * strength) if rng.random() < BENT_SHARE else 0.0
    voxels = reach_mm / torch.tensor(spacing_mm)
    return Placement(centre, size, affine, bends * voxels.view(3, 1, 1, 1))


def small_affine(rng: np.random.Generator, strength: float) -> Matrix:
    """A random 3 x 3 map from patch offsets to volume offsets, both (slice, row, column) voxels.

    At `strength` 1 rotations of at most 0.26 rad about each axis, one scale of 0.8 to 1.25 and a
    little of each axis; the determinant is positive, so nothing is mirrored: the heart is on the
    left.
    """
    angles = rng.uniform(-ROTATION_RAD, ROTATION_RAD, 3) * strength
    (c0, c1, c2), (s0, s1, s2) = np.cos(angles), np.sin(angles)
    about_slice = np.array([[1, 0, 0], [0, c0, -s0], [0, s0, c0]])
    about_row = np.array([[c1, 0, s1], [0, 1, 0], [-s1, 0, c1]])
    about_column = np.array([[c2, -s2, 0], [s2, c2, 0], [0, 0, 1]])
    low, high = np.log(SCALE)
    scales = np.exp(strength * (rng.uniform(low, high) + rng.normal(0, SCALE_SPREAD, 3)))
    return np.asarray(about_column @ about_row @ about_slice * scales, np.float64)


def random_field_of_view(
    shape: Index, rng: np.random.Generator, strength: float
) -> FieldOfView | None:
    """One that ends within the chest as many scans do; None for the whole volume."""
    low, high = np.zeros(3), np.asarray(shape - 1.0, np.float64)
    shares = np.array([CUT_SHARE, CUT_SHARE, CUT_SIDES_SHARE])
    below, above, sides = rng.random(3) < strength * shares
    if below:
        low[0] = rng.uniform(0, 0.45) * shape[0]
    if above:
        high[0] = rng.uniform(0.55, 1) * shape[0]
    if sides:
        low[1:] = rng.uniform(0, 0.25, 2) * shape[1:]
        high[1:] = rng.uniform(0.75, 1, 2) * shape[1:]
    return FieldOfView(low, high) if below or above or sides else None


def seen(grid: Tensor, view: FieldOfView, low: Index, shape: tuple[int, ...]) -> Tensor:
    """Which places of a sampling grid lie in the field of view: (1, *size)."""
    inside = torch.ones(grid.shape[:-1], dtype=torch.bool)
    for axis in range(3):
        first, last = ((view.low[axis], view.high[axis]) - low[axis] + 0.5) * 2.0 / shape[axis] - 1
        if first <= -1.0 and last >= 1.0:
            continue
        where = grid[..., 2 - axis]
        inside &= (where >= first) & (where <= last)
    return inside


def pick(volume: Tensor, grid: Tensor) -> Tensor:
    """`volume` (slices, rows, columns) at a sampling grid: (1, *size). Trilinear; 0 beyond."""
    return F.grid_sample(volume[None, None], grid, align_corners=False)[0]


def pick_nearest(volume: Tensor, grid: Tensor) -> Tensor:
    """The same, of the nearest voxel: for labels, which have no in-between."""
    return F.grid_sample(volume[None, None], grid, mode="nearest", align_corners=False)[0]


def spread_out(coarse: Tensor, size: Size) -> Tensor:
    """A coarse lattice (channels, n, n, n) as a smooth field (channels, *size), trilinear.

    Axis by axis with small matrices, which is many times as fast as interpolating each voxel.
    """
    for axis, voxels in enumerate(size, start=1):
        matrix = _linear(coarse.shape[axis], voxels)
        coarse = torch.movedim(torch.movedim(coarse, axis, -1) @ matrix, -1, axis)
    return coarse


def _linear(nodes: int, voxels: int) -> Tensor:
    """(nodes, voxels): what each node gives to each voxel, from end to end."""
    at = torch.linspace(0, nodes - 1, voxels)
    return (1.0 - (at - torch.arange(nodes)[:, None]).abs()).clamp(min=0.0)
