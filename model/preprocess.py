"""From a CT to what the network sees, and from its probabilities back to a mask on the CT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from core.geometry import Box, Mask, VolumeGeometry
from core.resample import evenly_sliced, resample, working_grid
from core.volume import Volume

OUTSIDE_HU = -1024.0
LEAST_MEASURED = 0.5
Values = npt.NDArray[np.float32]


def normalise(values_hu: npt.NDArray[Any], window_hu: tuple[float, float]) -> Values:
    """HU clipped to the window and mapped to -1..1.

    A fixed window: per-patch minimum and maximum would let one metal voxel change all contrast.
    """
    low, high = window_hu
    clipped = np.clip(values_hu.astype(np.float32), low, high)
    return np.asarray((clipped - low) * np.float32(2.0 / (high - low)) - 1.0, np.float32)


def tissue_on_working_grid(volume: Volume, spacing_mm: tuple[float, float, float]) -> Volume:
    """`volume` on the working grid of `spacing_mm` over the same tissue, HU, float32."""
    return tissue_on(volume, working_grid(volume.geometry, spacing_mm))


def tissue_on(volume: Volume, grid: VolumeGeometry) -> Volume:
    """`volume` on `grid` (a working grid of it, or a part of one), HU, float32.

    A working voxel is the mean of what was measured in it: -1024 HU is padding or the end of the
    scale, and would pull tissue at the rim of the field of view down to air. Where less than half
    was measured, nothing was.
    """
    measured = volume.values > OUTSIDE_HU
    if measured.all():
        # The rim: a working voxel may reach beyond the scan.
        return on_grid(volume, grid, outside=OUTSIDE_HU)
    zeroed = Volume(np.where(measured, volume.values, volume.values.dtype.type(0)), volume.geometry)
    total = on_grid(zeroed, grid, outside=0.0)
    share = on_grid(Volume(measured.astype(np.uint8), volume.geometry), grid, outside=0.0).values
    mean_hu = np.full(share.shape, OUTSIDE_HU, np.float32)
    np.divide(total.values, share, out=mean_hu, where=share >= LEAST_MEASURED)
    return Volume(mean_hu, grid)


def tissue_in(volume: Volume, part: VolumeGeometry) -> Volume:
    """The same for a small `part` of a working grid, reading no more of `volume` than it needs."""
    corners = np.array([[0, 0, 0], part.shape]) - 0.5
    margin = np.array([[-1.0], [1.0]])
    box = box_on(volume.geometry, corners + margin, part)
    # Whole voxels are averaged in the same blocks as in the whole volume.
    factors = _block_factors(volume.geometry, part.spacing_mm)
    slices, rows, columns = (
        slice(b.start - b.start % int(f), b.stop) for b, f in zip(box, factors, strict=True)
    )
    box = (slices, rows, columns)
    return tissue_on(Volume(volume.values[box], volume.geometry.cut(box)), part)


def on_grid(volume: Volume, grid: VolumeGeometry, *, outside: float) -> Volume:
    """`volume` on `grid`, float32.

    Where the grid's voxel is larger than the volume's, whole voxels are averaged first: points
    picked out of a fine CT would carry all its noise.
    """
    if volume.geometry.slice_offsets_mm is not None:
        volume = evenly_sliced(volume, grid.spacing_mm[0])
    return resample(_averaged(volume, grid.spacing_mm), grid, outside=outside)


def mask_to_working_grid(
    mask: Mask,
    geometry: VolumeGeometry,
    spacing_mm: tuple[float, float, float],
    *,
    share: float = 0.5,
) -> Mask:
    """The working voxels of which more than `share` lies in `mask`, a mask on `geometry`."""
    return np.asarray(share_on_working_grid(mask, geometry, spacing_mm) > share, bool)


def share_on_working_grid(
    mask: Mask, geometry: VolumeGeometry, spacing_mm: tuple[float, float, float]
) -> Values:
    """How much of each working voxel lies in `mask`, a mask on `geometry`, 0..1."""
    inside = Volume(mask.astype(np.uint8), geometry)
    return on_grid(inside, working_grid(geometry, spacing_mm), outside=0.0).values


def mask_on_ct(
    probability: Volume, ct: VolumeGeometry, finished: Callable[[Mask], Mask] = lambda mask: mask
) -> Mask:
    """Where `probability` (a part of a working grid) passes 0.5 on the CT grid, then `finished`."""
    mask = np.zeros(ct.shape, bool)
    near = ndimage.binary_dilation(probability.values > 0.5)
    if not near.any():
        return mask
    voxels = np.argwhere(near)
    sides = np.array([voxels.min(0) - 0.5, voxels.max(0) + 0.5])
    box = box_on(ct, sides, probability.geometry)
    mask[box] = finished(resample(probability, ct.cut(box), outside=0.0).values > 0.5)
    return mask


def dice(a: Mask, b: Mask) -> float:
    """Dice of two masks on the same grid, 0..1; two empty masks agree (1)."""
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 1.0


def _averaged(volume: Volume, spacing_mm: tuple[float, float, float]) -> Volume:
    """Means over the blocks of whole voxels that fit into a working voxel."""
    geometry, values = volume.geometry, volume.values
    factors = _block_factors(geometry, spacing_mm)
    if np.all(factors == 1):
        return volume
    for axis, factor in enumerate(factors):
        values = _block_mean(values, axis, int(factor))
    slices, rows, columns = values.shape
    origin = geometry.index_to_mm((factors - 1) / 2)
    spacing = np.asarray(geometry.spacing_mm) * factors
    coarse = replace(
        geometry,
        shape=(slices, rows, columns),
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        spacing_mm=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
    )
    return Volume(values, coarse)


def _block_factors(
    geometry: VolumeGeometry, spacing_mm: tuple[float, float, float]
) -> npt.NDArray[np.intp]:
    """How many whole voxels fit into a working voxel, on each axis."""
    ratio = np.asarray(spacing_mm) / np.asarray(geometry.spacing_mm)
    return np.asarray(np.maximum(np.floor(ratio + 1e-6), 1), np.intp)


def _block_mean(values: npt.NDArray[Any], axis: int, factor: int) -> npt.NDArray[Any]:
    """Float32 means over `factor` neighbours; the last block may repeat the last voxel."""
    if factor == 1:
        return values
    missing = -values.shape[axis] % factor
    if missing:
        padding = [(0, missing if a == axis else 0) for a in range(3)]
        values = np.pad(values, padding, mode="edge")
    every = [slice(None)] * 3
    total: npt.NDArray[np.float32] | None = None
    for first in range(factor):
        every[axis] = slice(first, None, factor)
        part = values[tuple(every)]
        total = part.astype(np.float32) if total is None else np.add(total, part, out=total)
    assert total is not None
    return total * np.float32(1.0 / factor)


def box_on(ct: VolumeGeometry, sides: npt.NDArray[np.float64], grid: VolumeGeometry) -> Box:
    """The box of CT indices that holds the block between `sides` (2, 3), indices on `grid`."""
    corners = np.array([[sides[(i >> a) & 1][a] for a in range(3)] for i in range(8)])
    index = ct.mm_to_index(grid.index_to_mm(corners))
    first = np.clip(np.floor(index.min(0)), 0, np.asarray(ct.shape) - 1).astype(int)
    after = np.clip(np.ceil(index.max(0)) + 1, first + 1, ct.shape).astype(int)
    slices, rows, columns = (slice(int(a), int(b)) for a, b in zip(first, after, strict=True))
    return slices, rows, columns
