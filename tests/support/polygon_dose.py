"""Dose of a structure straight from DICOM attributes: a second opinion that shares no code with us.

Every polygon is filled with points much finer than a voxel, and the dose is interpolated at each.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from scipy.interpolate import RegularGridInterpolator

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PolygonDose:
    volume_cc: float
    mean_gy: float
    maximum_gy: float
    coverage: float


def polygon_dose(
    rtstruct: Path, rtdose: Path, roi_name: str, *, slice_mm: float, step_mm: float = 0.25
) -> PolygonDose:
    """Volume and dose of the axial contours of `roi_name`, each `slice_mm` thick."""
    dose = _interpolator(pydicom.dcmread(rtdose))
    inside, total = [], 0
    for z_mm, polygons in _planes(pydicom.dcmread(rtstruct), roi_name).items():
        points = _filled(polygons, step_mm)
        values = dose(np.column_stack([np.full(len(points), z_mm), points[:, ::-1]]))
        inside.append(values[np.isfinite(values)])
        total += len(points)
    doses = np.concatenate(inside)
    return PolygonDose(
        volume_cc=total * step_mm**2 * slice_mm / 1000.0,
        mean_gy=float(doses.mean()),
        maximum_gy=float(doses.max()),
        coverage=doses.size / total,
    )


def _interpolator(ds: Any) -> RegularGridInterpolator:
    """Dose in Gy at (z, y, x) in mm; not a number outside. Axial, head first, ascending only."""
    assert [float(v) for v in ds.ImageOrientationPatient] == [1, 0, 0, 0, 1, 0]
    x, y, z = (float(v) for v in ds.ImagePositionPatient)
    row_mm, column_mm = (float(v) for v in ds.PixelSpacing)
    # A hundredth of a micrometre of rounding must not push a slice off the grid.
    axes = (
        np.round(z + np.array([float(v) for v in ds.GridFrameOffsetVector]), 2),
        y + row_mm * np.arange(ds.Rows),
        x + column_mm * np.arange(ds.Columns),
    )
    gray = ds.pixel_array * float(ds.DoseGridScaling)
    return RegularGridInterpolator(axes, gray, bounds_error=False, fill_value=np.nan)


def _planes(ds: Any, roi_name: str) -> dict[float, list[Floats]]:
    """Polygons (n, 2), x and y in mm, by feet-head position."""
    number = next(
        r.ROINumber
        for r in ds.StructureSetROISequence
        if str(r.ROIName).casefold() == roi_name.casefold()
    )
    planes: dict[float, list[Floats]] = defaultdict(list)
    for roi in ds.ROIContourSequence:
        if roi.ReferencedROINumber != number:
            continue
        for contour in roi.ContourSequence:
            points = np.array([float(v) for v in contour.ContourData]).reshape(-1, 3)
            planes[round(float(points[0, 2]), 2)].append(points[:, :2])
    return planes


def _filled(polygons: list[Floats], step_mm: float) -> Floats:
    """Points (n, 2) on a lattice of `step_mm` that lie inside an odd number of polygons."""
    corners = np.concatenate(polygons)
    # An odd offset keeps the lattice away from the rounded coordinates of the corners.
    low = corners.min(axis=0) - 0.4711 * step_mm
    count = np.ceil((corners.max(axis=0) - low) / step_mm).astype(int) + 1
    xs = low[0] + step_mm * np.arange(count[0])
    found = []
    for y in low[1] + step_mm * np.arange(count[1]):
        crossings = np.sort(np.concatenate([_crossings(p, y) for p in polygons]))
        row = xs[np.searchsorted(crossings, xs) % 2 == 1]
        found.append(np.column_stack([row, np.full(len(row), y)]))
    return np.concatenate(found)


def _crossings(polygon: Floats, y: float) -> Floats:
    """Where the polygon's edges cross the line at `y`."""
    start, end = polygon, np.roll(polygon, -1, axis=0)
    crossed = (start[:, 1] > y) != (end[:, 1] > y)
    start, end = start[crossed], end[crossed]
    share = (y - start[:, 1]) / (end[:, 1] - start[:, 1])
    return np.asarray(start[:, 0] + share * (end[:, 0] - start[:, 0]))
