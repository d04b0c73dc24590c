"""Planes through a body of few slices: its contours go on tapering within their slices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.geometry import Points, VolumeGeometry
from core.partial_volume import PartialVolume
from core.rasterise import polygons_by_slice
from dose.joining import slices_at
from dose.rounding import area_runs_out

# Bodies of fewer slices are cut into about so many planes; of more, slices are fine enough.
_PLANES = 24


@dataclass(frozen=True, slots=True)
class TaperedPlanes:
    """Contours on planes, which are the slices of `geometry`, each `thicknesses_mm` thick."""

    contours_mm: list[Points]
    geometry: VolumeGeometry
    thicknesses_mm: Points


@dataclass(frozen=True, slots=True)
class _Section:
    """A plane at `at` slices from the first contour, `thick` slices thick.

    Its section is `polygon` about `centre` (row, column) with the part `area` of its area.
    """

    at: float
    thick: float
    area: float
    nearest: int
    centre: Points


def tapered_planes(
    covered: PartialVolume, contours_mm: Sequence[Points], geometry: VolumeGeometry
) -> TaperedPlanes | None:
    """The body that few contours, one on each slice, are sections of; None where it is another.

    Area and centre of the section go from slice to slice by parabolas through three, beyond the
    outermost until the area runs out; its shape is the contour's whose area is nearer. Exact for
    balls, ellipsoids and cones, upright or oblique, of which three contours are known.
    """
    first, planes = covered.box[0].start, len(covered.fractions)
    if not 3 <= planes < _PLANES:
        return None
    by_slice = polygons_by_slice(contours_mm, geometry)
    count = len(by_slice)
    areas = covered.fractions.sum(axis=(1, 2), dtype=np.float64)
    alone = all(len(polygons) == 1 for polygons in by_slice.values())
    if not (count == planes and alone and areas.all()):
        return None
    centres = _centres(covered, areas)
    sections = _sections(areas, centres)
    if sections is None:
        return None
    slice_mm = geometry.spacing_mm[0]
    start_mm = float(geometry.slice_positions_mm()[first])
    on = slices_at(geometry, np.array([start_mm + slice_mm * one.at for one in sections]))
    drawn = []
    for number, one in enumerate(sections):
        polygon = by_slice[first + one.nearest][0]
        scale = math.sqrt(one.area / float(areas[one.nearest]))
        moved = one.centre + scale * (polygon - centres[one.nearest])
        drawn.append(on.index_to_mm(np.insert(moved, 0, number, axis=1)))
    return TaperedPlanes(drawn, on, slice_mm * np.array([one.thick for one in sections]))


def _centres(covered: PartialVolume, areas: Points) -> Points:
    """Centres of area (slice, 2) in (row, column)."""
    _, rows, columns = (np.arange(side.start, side.stop) for side in covered.box)
    row = covered.fractions.sum(axis=2, dtype=np.float64) @ rows
    column = covered.fractions.sum(axis=1, dtype=np.float64) @ columns
    return np.asarray(np.column_stack([row, column]) / areas[:, None], np.float64)


def _sections(areas: Points, centres: Points) -> list[_Section] | None:
    """Planes through the whole body; None where a parabola falls below nothing within it."""
    count = len(areas)
    below, above = area_runs_out(areas[::-1]), area_runs_out(areas)
    parts = math.ceil(_PLANES / count)
    found = []
    for k in range(count):
        start = k - 0.5 if k or below is None else -below
        end = k + 0.5 if k < count - 1 or above is None else k + above
        knots = np.linspace(start, end, parts + 1)
        area, row, column = (_through(values, k) for values in (areas, *centres.T))
        # Each plane has the volume of its part of the body, and lies where that has its centre.
        volumes = np.diff(area.integ()(knots))
        moments = np.diff((area * np.polynomial.Polynomial([0.0, 1.0])).integ()(knots))
        if not (volumes > 0.0).all():
            return None
        for at, volume in zip((moments / volumes).tolist(), volumes.tolist(), strict=True):
            here = float(area(at))
            if here <= 0.0:
                return None
            other = min(max(k + (1 if at > k else -1), 0), count - 1)
            apart = np.abs(np.log(here / areas[[k, other]]))
            nearest = k if apart[0] <= apart[1] else other
            centre = np.array([row(at), column(at)])
            found.append(_Section(at, volume / here, here, nearest, centre))
    return found


def _through(values: Points, k: int) -> np.polynomial.Polynomial:
    """The parabola through the values of slice k and both neighbours, or of the nearest three."""
    middle = min(max(k, 1), len(values) - 2)
    before, here, after = (float(v) for v in values[middle - 1 : middle + 2])
    u = np.polynomial.Polynomial([-float(middle), 1.0])
    return here + (after - before) / 2.0 * u + (after - 2.0 * here + before) / 2.0 * u * u
