"""Contours from masks and masks from contours: the only place where either is made.

Contours run along voxel edges. Contours through voxel centres would lose half a voxel all
round, about 2 % of a heart slice's area.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.edge_loops import edge_polygons
from core.errors import GeometryMismatchError
from core.geometry import Mask, Points, VolumeGeometry

# Contours drawn on one image may differ by rounding; further apart they are two planes.
_SAME_PLANE_MM = 0.1
# A contour may leave its plane by this part of the slice spacing (rounded coordinates).
_FLATNESS_SLICES = 0.2
_EDGES_AT_ONCE = 4096
_PIXELS_AT_ONCE = 1 << 24


@dataclass(frozen=True, slots=True)
class RasterisedRoi:
    """A mask, and how many contours it was made from.

    `contours_off_grid` were not painted: beyond the first or last slice, not parallel to the
    slices, or on a plane between two others that lie nearer to a slice.
    """

    mask: Mask
    contours_used: int
    contours_off_grid: int


def contours_of_mask(mask: Mask, geometry: VolumeGeometry) -> dict[int, list[Points]]:
    """Closed planar polygons (n, 3) in LPS mm around the true voxels, by slice index.

    One polygon for each part that is connected by voxel faces; its holes are joined to it by
    keyholes of zero width, so that readers which fill every polygon and readers which count
    crossings agree. The first point is not repeated and no point lies straight between its
    neighbours.
    """
    _require_shape(mask, geometry)
    filled = np.flatnonzero(mask.any(axis=(1, 2)))
    found: dict[int, list[Points]] = {k: [] for k in filled.tolist()}
    at_once = max(1, _PIXELS_AT_ONCE // max(1, mask.shape[1] * mask.shape[2]))
    for start in range(0, len(filled), at_once):
        for k, corners in _polygons(mask, filled[start : start + at_once]):
            indices = np.column_stack([np.full(len(corners), float(k)), corners])
            found[k].append(geometry.index_to_mm(indices))
    return found


def _polygons(mask: Mask, slices: npt.NDArray[np.int64]) -> Iterator[tuple[int, Points]]:
    """Slice index and polygon (n, 2) in (row, column) indices, for every part in `slices`."""
    # As one tall picture, with an empty row below each slice: tracing costs by the picture too.
    used: Mask = np.asarray(mask[int(slices[0]) : int(slices[-1]) + 1].any(axis=0), np.bool_)
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    box = mask[slices, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    tall = np.pad(box, ((0, 0), (0, 1), (0, 0)))
    height = tall.shape[1]
    for corners in edge_polygons(tall.reshape(-1, tall.shape[2])):
        number = round(corners[0, 0] + 0.5) // height
        shift = np.array([rows[0] - number * height, columns[0]])
        yield int(slices[number]), corners + shift


def mask_of_contours(
    contours_mm: Sequence[Points], geometry: VolumeGeometry, *, slice_tolerance: float = 0.5
) -> RasterisedRoi:
    """Voxels whose centre lies inside an odd number of the polygons of their slice.

    `contours_mm` are closed planar polygons (n, 3) in LPS mm. Each is painted on the nearest
    slice, if it is at most `slice_tolerance` slice spacings away.
    """
    by_slice = polygons_by_slice(contours_mm, geometry, slice_tolerance)
    mask = np.zeros(geometry.shape, np.bool_)
    for k, polygons in by_slice.items():
        _paint(mask[k], polygons)
    used = sum(len(polygons) for polygons in by_slice.values())
    return RasterisedRoi(mask, used, len(contours_mm) - used)


def polygons_by_slice(
    contours_mm: Sequence[Points], geometry: VolumeGeometry, slice_tolerance: float = 0.5
) -> dict[int, list[Points]]:
    """Polygons (n, 2) in (row, column) indices by the slice they belong to.

    Each belongs to the nearest slice, if it is at most `slice_tolerance` slice spacings away.
    """
    candidates: dict[int, list[tuple[float, Points]]] = {}
    for indices in _indices(contours_mm, geometry):
        if len(indices) == 0 or np.ptp(indices[:, 0]) > _FLATNESS_SLICES:
            continue
        position = float(indices[:, 0].mean())
        k = min(max(round(position), 0), geometry.shape[0] - 1)
        if abs(position - k) <= slice_tolerance + 1e-6:
            planes = geometry.index_to_mm([(position, 0.0, 0.0), (float(k), 0.0, 0.0)])
            offset_mm = float((planes[0] - planes[1]) @ np.asarray(geometry.directions[0]))
            candidates.setdefault(k, []).append((offset_mm, indices[:, 1:]))
    return {k: _nearest_plane(planes) for k, planes in candidates.items()}


def _indices(contours_mm: Sequence[Points], geometry: VolumeGeometry) -> list[Points]:
    """Each contour in indices of `geometry`; all at once, since one alone costs as much."""
    if not contours_mm:
        return []
    together = geometry.mm_to_index(np.concatenate(contours_mm))
    return np.split(together, np.cumsum([len(contour) for contour in contours_mm])[:-1])


def _nearest_plane(planes: list[tuple[float, Points]]) -> list[Points]:
    # Contours drawn on a finer series reach one slice from several planes; crossing counts of
    # different planes must not cancel each other.
    nearest = min((offset_mm for offset_mm, _ in planes), key=abs)
    return [polygon for offset_mm, polygon in planes if abs(offset_mm - nearest) <= _SAME_PLANE_MM]


def _paint(pixels: Mask, polygons: Sequence[Points]) -> None:
    """Set the pixels with an odd number of polygon edges to their left, in one slice of zeros."""
    corners = np.concatenate(polygons)
    # Only the box around the polygons is looked at: right of it the number is even again.
    low = np.clip(np.ceil(corners.min(axis=0)), 0, pixels.shape).astype(np.int64)
    high = np.clip(np.ceil(corners.max(axis=0)), 0, pixels.shape).astype(np.int64)
    (top, left), (bottom, right) = low.tolist(), high.tolist()
    width = right - left + 1
    crossings = np.zeros((bottom - top) * width, np.int64)
    for row, column in crossings_of(polygons, pixels.shape[0]):
        first = np.clip(np.ceil(column), left, right).astype(np.int64)
        crossings += np.bincount((row - top) * width + first - left, minlength=len(crossings))
    # Eight bits overflow at 256 and stay odd or even.
    odd = crossings.astype(np.uint8).reshape(bottom - top, width)[:, :-1]
    pixels[top:bottom, left:right] = np.cumsum(odd, axis=1, dtype=np.uint8) % 2 == 1


def crossings_of(
    polygons: Sequence[Points], rows: int
) -> Iterator[tuple[npt.NDArray[np.int64], Points]]:
    """Rows and the column where polygon edges cross the line through the row's centres.

    An edge crosses row j if its lower end is at most j and its upper end above j: a corner that
    lies on the line is then counted once.
    """
    starts = np.concatenate(polygons)
    ends = np.concatenate([np.roll(polygon, -1, axis=0) for polygon in polygons])
    for at in range(0, len(starts), _EDGES_AT_ONCE):
        start, end = starts[at : at + _EDGES_AT_ONCE], ends[at : at + _EDGES_AT_ONCE]
        low = np.minimum(start[:, 0], end[:, 0])
        high = np.maximum(start[:, 0], end[:, 0])
        first = np.clip(np.ceil(low), 0, rows).astype(np.int64)
        count = np.clip(np.ceil(high), 0, rows).astype(np.int64) - first
        edge = np.repeat(np.arange(len(start)), count)
        step = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
        row = first[edge] + step
        rise = end[edge, 0] - start[edge, 0]
        slope = (end[edge, 1] - start[edge, 1]) / rise
        yield row, start[edge, 1] + (row - start[edge, 0]) * slope


def _require_shape(mask: Mask, geometry: VolumeGeometry) -> None:
    if mask.shape != geometry.shape:
        raise GeometryMismatchError(
            f"The mask has shape {mask.shape}, its geometry says {geometry.shape}. "
            "Resample the mask onto the volume with core.resample."
        )
