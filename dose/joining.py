"""Planes between slices: the shape goes over from one contour into the next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from core.geometry import Points, VolumeGeometry
from core.partial_volume import PartialVolume
from core.rasterise import polygons_by_slice

# Planes between two slices are about so far apart; large structures need no more than so many.
_PLANE_MM = 0.75
_PLANES_ACROSS = 150
# What lies within both slices is the same on all planes: it counts on every third, threefold.
_INNER = 3
# Distances are to points on the contour, so many for each pixel.
_POINTS_PER_PIXEL = 3.0
_SAME_MM = 1e-3


@dataclass(frozen=True, slots=True)
class JoinedPlanes:
    """Planes as the slices of a geometry: how thick each is, and how much of each voxel counts.

    That is the covered part, but of voxels that several planes have whole one counts for all.
    """

    fractions: Iterator[npt.NDArray[np.float32]]
    geometry: VolumeGeometry
    thicknesses_mm: Points


def joined_planes(
    covered: PartialVolume, contours_mm: Sequence[Points], geometry: VolumeGeometry
) -> JoinedPlanes:
    """The solid between neighbouring slices that have contours; nothing beyond the outermost.

    Between two slices the signed distance from the edge goes over linearly from that of one to
    that of the other (Raya and Udupa 1990). A slice without a contour on either side is a slab.
    """
    first = covered.box[0].start
    positions, slabs_mm = geometry.slice_positions_mm(), geometry.slice_thicknesses_mm()
    filled = np.asarray(covered.fractions.any(axis=(1, 2)))
    _, rows, columns = covered.fractions.shape
    across_mm = max(rows * geometry.spacing_mm[1], columns * geometry.spacing_mm[2])
    # (slice, where between it and the next one) of every plane; a slab's is None
    steps: list[tuple[int, Points | None]] = []
    at_mm: list[float] = []
    thick_mm: list[float] = []
    for k in np.flatnonzero(filled).tolist():
        here_mm = float(positions[first + k])
        if k + 1 < len(filled) and filled[k + 1]:
            gap_mm = float(positions[first + k + 1]) - here_mm
            parts = _parts(gap_mm, across_mm)
            steps.append((k, parts))
            at_mm.extend((here_mm + parts * gap_mm).tolist())
            thick_mm.extend([gap_mm / len(parts)] * len(parts))
        elif k == 0 or not filled[k - 1]:
            steps.append((k, None))
            at_mm.append(here_mm)
            thick_mm.append(float(slabs_mm[first + k]))
    edges = _Edges(contours_mm, covered, geometry)
    return JoinedPlanes(
        edges.planes(steps), slices_at(geometry, np.array(at_mm)), np.array(thick_mm)
    )


def _parts(gap_mm: float, across_mm: float) -> Points:
    count = math.ceil(gap_mm / max(_PLANE_MM, across_mm / _PLANES_ACROSS))
    if count > 1:
        count = _INNER * math.ceil(count / _INNER)
    return np.asarray((np.arange(count) + 0.5) / count, np.float64)


def slices_at(geometry: VolumeGeometry, at_mm: Points) -> VolumeGeometry:
    """`geometry` with other slices, at distances from its first."""
    normal = np.asarray(geometry.directions[0])
    x, y, z = np.asarray(geometry.origin_mm) + at_mm[0] * normal
    offsets = tuple(float(mm) for mm in at_mm - at_mm[0])
    mean_mm = offsets[-1] / (len(offsets) - 1) if len(offsets) > 1 else geometry.spacing_mm[0]
    return replace(
        geometry,
        shape=(len(at_mm), *geometry.shape[1:]),
        origin_mm=(float(x), float(y), float(z)),
        spacing_mm=(mean_mm, *geometry.spacing_mm[1:]),
        slice_offsets_mm=offsets,
    )


class _Edges:
    """Signed distances from the contours of each slice, in mm, negative inside."""

    def __init__(
        self, contours_mm: Sequence[Points], covered: PartialVolume, geometry: VolumeGeometry
    ) -> None:
        self._fractions = covered.fractions
        self._filled = np.asarray(covered.fractions.any(axis=(1, 2)))
        self._pixel_mm = np.asarray(geometry.spacing_mm[1:])
        self._corner = np.array([covered.box[1].start, covered.box[2].start])
        self._first = covered.box[0].start
        self._polygons = polygons_by_slice(contours_mm, geometry)
        self._known: dict[int, Points] = {}

    def planes(
        self, steps: Sequence[tuple[int, Points | None]]
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Covered parts of voxels, plane by plane; see `joined_planes`."""
        for k, parts in steps:
            if parts is None:
                yield self._fractions[k]
            else:
                yield from self._between(k, parts)

    def _between(self, k: int, parts: Points) -> Iterator[npt.NDArray[np.float32]]:
        changing = self._changing(k)
        low, high = self._away(k)[changing], self._away(k + 1)[changing]
        self._known.pop(k)
        pixel_mm = float(self._pixel_mm.mean())
        inner = np.where(changing, np.float32(0.0), self._fractions[k])
        for number, part in enumerate(parts.tolist()):
            if len(parts) < _INNER:
                plane = inner.copy()
            elif number % _INNER == _INNER // 2:
                plane = inner * np.float32(_INNER)
            else:
                plane = np.zeros_like(inner)
            away = (1.0 - part) * low + part * high
            plane[changing] = np.clip(0.5 - away / pixel_mm, 0.0, 1.0)
            yield plane

    def _changing(self, k: int) -> npt.NDArray[np.bool_]:
        """Pixels that are not whole, or not nothing, all the way from slice k to the next."""
        low, high = self._fractions[k : k + 2]
        return np.asarray((low != high) | ((low > 0.0) & (low < 1.0)), np.bool_)

    def _away(self, k: int) -> Points:
        """Distances (row, column) of the pixels of slice k that change towards a neighbour."""
        if k not in self._known:
            wanted = np.zeros(self._fractions.shape[1:], np.bool_)
            for gap in (k - 1, k):
                if 0 <= gap < len(self._filled) - 1 and self._filled[gap : gap + 2].all():
                    wanted |= self._changing(gap)
            at = np.argwhere(wanted)
            points = [self._along(polygon) for polygon in self._polygons[self._first + k]]
            tree = cKDTree(np.concatenate(points), balanced_tree=False, compact_nodes=False)
            near, _ = tree.query((at + self._corner) * self._pixel_mm)
            self._known[k] = np.zeros(wanted.shape)
            self._known[k][wanted] = np.where(self._fractions[k][wanted] >= 0.5, -near, near)
        return self._known[k]

    def _along(self, polygon: Points) -> Points:
        """Points on the edges of a polygon, in mm; a keyhole's bridge is no edge."""
        start = polygon * self._pixel_mm
        end = np.roll(start, -1, axis=0)
        real = ~_runs_back(start, end)
        start, step = start[real], (end - start)[real]
        lengths = np.linalg.norm(step, axis=1) / float(self._pixel_mm.min())
        counts = np.maximum(np.ceil(lengths * _POINTS_PER_PIXEL).astype(np.intp), 1)
        edge = np.repeat(np.arange(len(start)), counts)
        number = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.asarray(start[edge] + step[edge] * (number / counts[edge])[:, None], np.float64)


def _runs_back(start: Points, end: Points) -> npt.NDArray[np.bool_]:
    """Which edges (n,) the same polygon runs along the other way too."""
    back = np.zeros(len(start), np.bool_)
    at, to = np.rint(start / _SAME_MM), np.rint(end / _SAME_MM)
    corners = at[:, 0] + 1j * at[:, 1]
    known = np.sort(corners)
    twice = known[1:][known[1:] == known[:-1]]
    if not twice.size:
        return back  # the usual contour
    # Where a polygon comes back to it has been before; few corners have that.
    few = np.flatnonzero(np.isin(corners, twice) & np.isin(to[:, 0] + 1j * to[:, 1], twice))
    edges = {(*a, *b) for a, b in zip(at[few].tolist(), to[few].tolist(), strict=True)}
    back[few] = [(*b, *a) in edges for a, b in zip(at[few].tolist(), to[few].tolist(), strict=True)]
    return back
