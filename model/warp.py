"""Where the voxels of a random patch come from: turned, scaled and bent, never mirrored."""

from __future__ import annotations

from collections.abc import Sequence
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

    def places(self, low: Index) -> Tensor:
        """(3, *size): the fractional index each voxel shows, counted from index `low`."""
        middle, affine = (
            torch.from_numpy(values.astype(np.float32))
            for values in (self.centre - low, self.affine)
        )
        slices, rows, columns = (torch.arange(n) - (n - 1) / 2 for n in self.size)
        first = affine[:, 0, None] * slices + middle[:, None]
        plane = (affine[:, 1, None] * rows)[:, :, None] + (affine[:, 2, None] * columns)[:, None]
        places = first[:, :, None, None] + plane[:, None]
        if self.bends.any():
            places += spread_out(self.bends, self.size)
        return places


@dataclass(frozen=True, slots=True)
class Picked:
    """Where to read a volume: its slices below one another as one tall picture.

    PyTorch samples pictures on a CPU many times as fast as volumes: so a place is looked up in
    the slice below it and in the one above, and `above` (*size) is the share of the latter.
    `grid` (1, slices * rows, columns, 2) is for `grid_sample`. A border of one voxel lies around
    the volume, so that values fade to 0 beyond it.
    """

    grid: Tensor
    above: Tensor

    @classmethod
    def of(cls, places: Tensor, shape: tuple[int, ...]) -> Picked:
        """Of `places` (3, *size), fractional indices of a volume of `shape`."""
        slices, rows, columns = (n + 2 for n in shape)
        slice_ = (places[0] + 1.0).clamp_(0, slices - 1)
        below = slice_.floor().clamp_(max=slices - 2)
        down = (places[1] + 1.0).clamp_(0, rows - 1).add_(below, alpha=rows)
        height = (slices - 1) * rows
        across = torch.add(3.0 / columns - 1.0, places[2], alpha=2.0 / columns)
        down = down.mul_(2.0 / height).add_(1.0 / height - 1.0)
        grid = torch.stack((across, down), -1)
        return cls(grid.view(1, -1, places.shape[3], 2), slice_.sub_(below))

    def linear(self, volume: Tensor) -> Tensor:
        """`volume` (slices, rows, columns) at the places: (1, *size). Trilinear; 0 beyond."""
        below, above = self._both(volume, "bilinear")
        return torch.lerp(below, above, self.above)[None]

    def nearest(self, volume: Tensor) -> Tensor:
        """The same, of the nearest voxel: for labels, which have no in-between."""
        below, above = self._both(volume, "nearest")
        return torch.where(self.above > 0.5, above, below)[None]

    def _both(self, volume: Tensor, mode: str) -> Tensor:
        bordered = volume.new_zeros([n + 2 for n in volume.shape])
        bordered[1:-1, 1:-1, 1:-1] = volume
        slices, rows, columns = bordered.shape
        plane = rows * columns
        pictures = bordered.as_strided(
            (1, 2, (slices - 1) * rows, columns), (0, plane, columns, 1)
        )  # without its last slice, and without its first
        found = F.grid_sample(pictures, self.grid, mode, align_corners=False)
        return found.view(2, *self.above.shape)


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


def seen(places: Tensor, view: FieldOfView, low: Index) -> Tensor:
    """Which places (3, *size), counted from index `low`, the field of view holds: (1, *size)."""
    inside = torch.ones((1, *places.shape[1:]), dtype=torch.bool)
    for where, first, last in zip(places, view.low - low, view.high - low, strict=True):
        inside &= (where >= first) & (where <= last)
    return inside


def spread_out(coarse: Tensor, size: Size) -> Tensor:
    """A coarse lattice (channels, n, n, n) as a smooth field (channels, *size), trilinear."""
    return along_axes(
        coarse, [_linear(n, voxels) for n, voxels in zip(coarse.shape[1:], size, strict=True)]
    )


def along_axes(values: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """`values` (channels, slices, rows, columns) times a matrix (to, from) along each axis.

    Products of small matrices are many times as fast as convolving or interpolating each voxel.
    """
    channels, slices, rows, columns = values.shape
    along_slices, along_rows, along_columns = matrices
    values = along_slices @ values.reshape(channels, slices, rows * columns)
    values = along_rows @ values.view(-1, rows, columns)
    values = values @ along_columns.T
    return values.view(channels, -1, *values.shape[1:])


def _linear(nodes: int, voxels: int) -> Tensor:
    """(voxels, nodes): what each voxel takes from each node, from end to end."""
    at = torch.linspace(0, nodes - 1, voxels)
    return (1.0 - (at[:, None] - torch.arange(nodes)).abs()).clamp(min=0.0)
