"""The dose of what contours on slices stand for: a solid of partly covered voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from core.geometry import Points, VolumeGeometry
from core.partial_volume import PartialVolume, partial_volume
from core.volume import Volume
from dose.grid import SampledDose, sample_parts
from dose.interpolation import CENTRES, Between
from dose.joining import joined_planes
from dose.rounding import rounded_volumes
from dose.tapering import tapered_planes

# What lies between contours, and beyond the first and the last of them (ADR 0041):
# whole    each slice is a slab half way to its neighbours, the outermost ones as thick outwards as
#          inwards: what the voxels of a mask are
# half     nothing beyond the outermost contours; between two slices the shape goes over from one
#          to the other: nearest to Eclipse
# rounded  slabs, of which the outermost end where the areas run out, and within which the
#          contours of a body of few slices go on tapering: nearest to round bodies; on unevenly
#          spaced slices like whole
Ends = Literal["whole", "half", "rounded"]

# Small structures are looked at more finely than the CT: so many voxels across, if not below that.
_VOXELS_ACROSS = 50
_FINEST_MM = 0.2
# Voxels in one line with a dose's own axes have doses in steps, and so has their histogram. Where
# they are not cut finer, and slices are many, each slice is looked at elsewhere in its voxels
# (eighths of a row and of a column): four in a row see four places along rows and columns and, on
# average and along a slope, the middle; the first four lie on one diagonal, the next on the other.
_MANY_SLICES = 24
_ASIDE = np.array([(-1, 1), (3, -3), (-3, 3), (1, -1), (1, 1), (-3, -3), (3, 3), (-1, -1)]) / 8.0


@dataclass(frozen=True, slots=True)
class ContourDose:
    """Dose at the voxels of a structure, each with the part of it that its contours cover.

    `contours_off_grid` were left out, as in `RasterisedRoi`.
    """

    sampled: SampledDose
    contours_off_grid: int


def sample_contours(
    dose: Volume,
    contours_mm: Sequence[Points],
    geometry: VolumeGeometry,
    *,
    ends: Ends,
    between: Between = "linear",
) -> ContourDose:
    """Dose in Gy of a structure whose contours were drawn on the slices of `geometry`.

    `contours_mm` are closed planar polygons (n, 3) in LPS mm; even-odd within a slice. `between`
    says what the dose is between its nodes. Raises `GeometryMismatchError` as `sample_dose` does.
    """
    fine = _fine_enough(contours_mm, geometry)
    covered = partial_volume(contours_mm, fine)
    is_large = fine == geometry and covered.fractions.shape[0] >= _MANY_SLICES
    aside = _ASIDE if is_large and ends != "whole" else CENTRES
    even = fine.slice_offsets_mm is None
    tapered = tapered_planes(covered, contours_mm, fine) if ends == "rounded" and even else None
    if ends == "half" and np.count_nonzero(covered.fractions.any(axis=(1, 2))) > 1:
        joined = joined_planes(covered, contours_mm, fine)
        fine, box = joined.geometry, (slice(0, len(joined.thicknesses_mm)), *covered.box[1:])
        fractions, thicknesses_mm = joined.fractions, joined.thicknesses_mm
    elif tapered is not None:
        fine, thicknesses_mm = tapered.geometry, tapered.thicknesses_mm
        planes = partial_volume(tapered.contours_mm, fine)
        box, fractions = planes.box, iter(planes.fractions)
    else:
        box, fractions = covered.box, iter(covered.fractions)
        thicknesses_mm = fine.slice_thicknesses_mm()[box[0]]
        if ends == "rounded" and even:
            thicknesses_mm = _rounded(covered, thicknesses_mm)
    _, row_mm, column_mm = fine.spacing_mm
    volumes = (
        part * (mm * row_mm * column_mm / 1000.0)
        for part, mm in zip(fractions, thicknesses_mm.tolist(), strict=True)
    )
    sampled = sample_parts(dose, fine, box, volumes, between=between, aside=aside)
    return ContourDose(sampled, covered.contours_off_grid)


def _rounded(covered: PartialVolume, thicknesses_mm: Points) -> Points:
    """What each slice stands for in mm where the outermost end as the areas say."""
    areas = covered.fractions.sum(axis=(1, 2), dtype=np.float64)
    share = np.divide(rounded_volumes(areas), areas, out=np.ones_like(areas), where=areas > 0.0)
    return np.asarray(share * thicknesses_mm, np.float64)


def _fine_enough(contours_mm: Sequence[Points], geometry: VolumeGeometry) -> VolumeGeometry:
    """`geometry`, or where the structure is small the same with each pixel cut into several."""
    if not len(contours_mm):
        return geometry
    indices = geometry.mm_to_index(np.concatenate(contours_mm))[:, 1:]
    spacing_mm = np.asarray(geometry.spacing_mm[1:])
    across_mm = float((np.ptp(indices, axis=0) * spacing_mm).min())
    wanted_mm = max(across_mm / _VOXELS_ACROSS, _FINEST_MM)
    rows, columns = (max(1, round(float(mm) / wanted_mm)) for mm in spacing_mm)
    return _cut_finer(geometry, rows, columns)


def _cut_finer(geometry: VolumeGeometry, rows: int, columns: int) -> VolumeGeometry:
    slice_mm, row_mm, column_mm = geometry.spacing_mm
    x, y, z = geometry.index_to_mm((0.0, 0.5 / rows - 0.5, 0.5 / columns - 0.5))
    return replace(
        geometry,
        shape=(geometry.shape[0], geometry.shape[1] * rows, geometry.shape[2] * columns),
        spacing_mm=(slice_mm, row_mm / rows, column_mm / columns),
        origin_mm=(float(x), float(y), float(z)),
    )
