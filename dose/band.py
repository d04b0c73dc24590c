"""The voxels near the boundary of a structure."""

from __future__ import annotations

import math

import numpy as np

from core.geometry import Box, Mask, Points, VolumeGeometry

# A voxel that is exactly as far away as permitted is near enough.
_ROUNDING = 1e-9


def boundary_band(mask: Mask, geometry: VolumeGeometry, *, within_mm: float) -> Mask:
    """Voxels on either side whose centre lies within `within_mm` of the boundary of `mask`.

    The boundary is made of voxel faces, where our contours run; those at the rim of the volume
    belong to it. Distances are exact, on uneven slices too.
    """
    band = np.zeros(mask.shape, np.bool_)
    if not mask.any():
        return band
    _, row_mm, column_mm = geometry.spacing_mm
    thinnest_mm = float(geometry.slice_thicknesses_mm().min())
    reach = [_steps(within_mm, step_mm) for step_mm in (thinnest_mm, row_mm, column_mm)]
    box = box_around(mask)
    # Around it as far as it matters, also where there are no voxels.
    block = np.pad(mask[box], [(n, n) for n in reach])
    centres = _with_more(geometry.slice_positions_mm(), reach[0], geometry.spacing_mm[0])
    centres = centres[box[0].start : box[0].stop + 2 * reach[0]]
    near = _Near(centres, row_mm, column_mm, within_mm)
    found = np.where(block, near.of(~block), near.of(block))
    into, taken = [], []
    for side, size, n in zip(box, mask.shape, reach, strict=True):
        into.append(slice(max(side.start - n, 0), min(side.stop + n, size)))
        taken.append(slice(into[-1].start - side.start + n, into[-1].stop - side.start + n))
    band[tuple(into)] = found[tuple(taken)]
    return band


def box_around(mask: Mask) -> Box:
    """The smallest box that holds every voxel of `mask`, which is not empty."""
    bounds = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        bounds.append(slice(int(used[0]), int(used[-1]) + 1))
    return bounds[0], bounds[1], bounds[2]


def _steps(mm: float, step_mm: float) -> int:
    """How many voxels away the face of a voxel can be within `mm` of a centre."""
    return math.floor(mm / step_mm + 0.5 + _ROUNDING)


def _with_more(centres_mm: Points, more: int, only_mm: float) -> Points:
    """Positions of slices and of `more` beyond either end, at the outermost distance."""
    first = centres_mm[1] - centres_mm[0] if len(centres_mm) > 1 else only_mm
    last = centres_mm[-1] - centres_mm[-2] if len(centres_mm) > 1 else only_mm
    steps = np.arange(1, more + 1)
    before, after = centres_mm[0] - first * steps[::-1], centres_mm[-1] + last * steps
    return np.concatenate([before, centres_mm, after], dtype=np.float64)


class _Near:
    """Finds voxels whose centre is near to a voxel (its whole box) of a mask."""

    def __init__(
        self, centres_mm: Points, row_mm: float, column_mm: float, within_mm: float
    ) -> None:
        middles = (centres_mm[1:] + centres_mm[:-1]) / 2.0
        self._centres = centres_mm
        # Slices beyond the outermost ones hold nothing that is looked for.
        self._edges = np.r_[-np.inf, middles, np.inf]
        self._row_mm, self._column_mm, self._within_mm = row_mm, column_mm, within_mm

    def of(self, mask: Mask) -> Mask:
        found = np.zeros_like(mask)
        for number, centre in enumerate(self._centres):
            away = np.maximum(self._edges[:-1] - centre, centre - self._edges[1:])
            for other in np.flatnonzero(away <= self._within_mm + _ROUNDING):
                if mask[other].any():
                    left = self._within_mm**2 - max(float(away[other]), 0.0) ** 2
                    self._in_plane(mask[other], math.sqrt(max(left, 0.0)), found[number])
        return found

    def _in_plane(self, plane: Mask, within_mm: float, found: Mask) -> None:
        rows = plane.shape[0]
        widened: dict[int, Mask] = {}
        reach = _steps(within_mm, self._row_mm)
        for step in range(-reach, reach + 1):
            away = max((abs(step) - 0.5) * self._row_mm, 0.0)
            left = math.sqrt(max(within_mm**2 - away**2, 0.0))
            columns = _steps(left, self._column_mm)
            if columns not in widened:
                widened[columns] = _widened(plane, columns)
            found[max(step, 0) : rows + step] |= widened[columns][max(-step, 0) : rows - step]


def _widened(plane: Mask, columns: int) -> Mask:
    """True where a true pixel is at most so many columns away."""
    counts = np.cumsum(np.pad(plane, ((0, 0), (columns + 1, columns))), axis=1, dtype=np.int32)
    last = counts[:, 2 * columns + 1 :]
    return np.asarray(last > counts[:, : last.shape[1]], np.bool_)
