"""From a CT to what the network sees, and from its probabilities back to a mask on the CT."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from core.geometry import Mask, VolumeGeometry
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


def network_input(
    volume: Volume, *, spacing_mm: tuple[float, float, float], window_hu: tuple[float, float]
) -> Volume:
    """`volume` (HU) on its working grid, normalised to -1..1, float32."""
    coarse = tissue_on_working_grid(volume, spacing_mm)
    return Volume(normalise(coarse.values, window_hu), coarse.geometry)


def tissue_on_working_grid(volume: Volume, spacing_mm: tuple[float, float, float]) -> Volume:
    """`volume` on its working grid, HU, float32.

    A working voxel is the mean of what was measured in it: -1024 HU is padding or the end of the
    scale, and would pull tissue at the rim of the field of view down to air. Where less than half
    was measured, nothing was.
    """
    measured = volume.values > OUTSIDE_HU
    zeroed = Volume(np.where(measured, volume.values, volume.values.dtype.type(0)), volume.geometry)
    total = to_working_grid(zeroed, spacing_mm, outside=0.0)
    part = Volume(measured.astype(np.uint8), volume.geometry)
    share = to_working_grid(part, spacing_mm, outside=0.0).values
    mean_hu = np.full(share.shape, OUTSIDE_HU, np.float32)
    np.divide(total.values, share, out=mean_hu, where=share >= LEAST_MEASURED)
    return Volume(mean_hu, total.geometry)


def to_working_grid(
    volume: Volume, spacing_mm: tuple[float, float, float], *, outside: float
) -> Volume:
    """`volume` on the grid of `spacing_mm` over the same tissue, float32.

    Where the working voxel is larger than the volume's, whole voxels are averaged first: points
    picked out of a fine CT would carry all its noise.
    """
    if volume.geometry.slice_offsets_mm is not None:
        volume = evenly_sliced(volume, spacing_mm[0])
    grid = working_grid(volume.geometry, spacing_mm)
    return resample(_averaged(volume, spacing_mm), grid, outside=outside)


def mask_to_working_grid(
    mask: Mask,
    geometry: VolumeGeometry,
    spacing_mm: tuple[float, float, float],
    *,
    share: float = 0.5,
) -> Mask:
    """The working voxels of which more than `share` lies in `mask`, a mask on `geometry`."""
    coarse = to_working_grid(Volume(mask.astype(np.uint8), geometry), spacing_mm, outside=0.0)
    return coarse.values > share


def mask_on_ct(probability: Volume, ct: VolumeGeometry) -> Mask:
    """Where `probability` (working grid) passes 0.5 on the CT grid; largest component only."""
    mask = np.zeros(ct.shape, bool)
    near = ndimage.binary_dilation(probability.values > 0.5)
    if not near.any():
        return mask
    box = _box_on(ct, np.argwhere(near), probability.geometry)
    part = resample(probability, ct.cut(box), outside=0.0)
    mask[box] = largest_component(part.values > 0.5)
    return mask


def largest_component(mask: Mask) -> Mask:
    """The largest face-connected component of `mask`; empty stays empty."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]), bool)


def dice(a: Mask, b: Mask) -> float:
    """Dice of two masks on the same grid, 0..1; two empty masks agree (1)."""
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 1.0


def _averaged(volume: Volume, spacing_mm: tuple[float, float, float]) -> Volume:
    """Means over the blocks of whole voxels that fit into a working voxel."""
    geometry, values = volume.geometry, volume.values
    ratio = np.asarray(spacing_mm) / np.asarray(geometry.spacing_mm)
    factors = np.maximum(np.floor(ratio + 1e-6), 1).astype(int)
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


def _box_on(
    ct: VolumeGeometry, voxels: npt.NDArray[np.intp], grid: VolumeGeometry
) -> tuple[slice, slice, slice]:
    """The box of CT indices that holds `voxels` of `grid`, whole voxels included."""
    low, high = voxels.min(0) - 0.5, voxels.max(0) + 0.5
    corners = np.array([[(low, high)[(i >> a) & 1][a] for a in range(3)] for i in range(8)])
    index = ct.mm_to_index(grid.index_to_mm(corners))
    first = np.clip(np.floor(index.min(0)), 0, np.asarray(ct.shape) - 1).astype(int)
    after = np.clip(np.ceil(index.max(0)) + 1, first + 1, ct.shape).astype(int)
    return (
        slice(int(first[0]), int(after[0])),
        slice(int(first[1]), int(after[1])),
        slice(int(first[2]), int(after[2])),
    )
