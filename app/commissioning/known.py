"""Volume and dose of bodies whose truth is known, through DICOM files as a clinic sends them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.commissioning.bodies import BODIES, DOSES, Dose, Floats, Truth, moved_bodies, truth_of
from app.commissioning.check import Check, Tolerance, measured
from app.commissioning.objects import Scan, write_dose, write_scan, write_structures
from core.geometry import VolumeGeometry
from core.rasterise import mask_of_contours
from core.structures import Roi
from core.volume import CtVolume, Volume
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtdose_reader import read_dose
from dicom_node.objects.rtstruct_reader import read_structure_set
from dose.dvh import Dvh
from dose.metrics import roi_dose
from dose.solid import sample_contours

GROUP = "Known volume and dose"
SMALL = "ball 5 mm"
GRID_MM = 2.5
_HALF_MM = 54.0
_BENCH = "benchmarks/dose_accuracy.py keeps it on slices of 1 to 3 mm; truth by 2^20 points."
_SMALL = "A ball of 0.5 cc: few voxels and few dose nodes (docs/reference/benchmarks.md)."
_PAGE = (
    "The review page counts whole voxels: twice the largest error over these slices and all bodies "
    "but the ball of 5 mm."
)
_SMALL_PAGE = (
    "The review page counts whole voxels, of which a ball of 0.5 cc has few: twice the largest "
    "error over these slices."
)

# Contours count as `recontour dose --ends rounded --between cubic` counts them.
TOLERANCES: Mapping[str, Tolerance] = {
    "volume": Tolerance(0.2, "%", _BENCH),
    "mean dose": Tolerance(0.1, "%", _BENCH),
    "volume at a dose": Tolerance(0.3, "points", _BENCH),
    f"volume of {SMALL}": Tolerance(1.0, "%", _SMALL),
    f"mean dose of {SMALL}": Tolerance(0.3, "%", _SMALL),
    f"volume at a dose of {SMALL}": Tolerance(2.0, "points", _SMALL),
    "volume on the page": Tolerance(0.5, "%", _PAGE),
    "mean dose on the page": Tolerance(0.5, "%", _PAGE),
    f"volume on the page of {SMALL}": Tolerance(5.2, "%", _SMALL_PAGE),
    f"mean dose on the page of {SMALL}": Tolerance(3.3, "%", _SMALL_PAGE),
}
_FIGURES = (
    "volume",
    "mean dose",
    "volume at a dose",
    "volume on the page",
    "mean dose on the page",
)


@dataclass(frozen=True, slots=True)
class _Error:
    """How far off a figure was, NaN where there is none, and the sentence that tells where."""

    value: float
    found: str


def known_checks(
    folder: Path,
    slices_mm: tuple[float, ...],
    doses: tuple[str, ...],
    allowed: Mapping[str, Tolerance],
) -> Iterator[Check]:
    """Each body and figure with its largest error over slices and doses; none at all is worst."""
    worst: dict[tuple[str, str], _Error] = {}
    for number, slice_mm in enumerate(slices_mm):
        for key, error in _errors(folder / str(number), number, slice_mm, doses):
            before = worst.get(key)
            if before is None or math.isnan(error.value) or error.value > before.value:
                worst[key] = error
    for (body, figure), error in worst.items():
        tolerance = allowed[f"{figure} of {SMALL}" if body == SMALL else figure]
        yield measured(GROUP, f"{body}: {figure}", error.value, tolerance, error.found)


def _errors(
    folder: Path, number: int, slice_mm: float, doses: tuple[str, ...]
) -> Iterator[tuple[tuple[str, str], _Error]]:
    count = 2 * round(_HALF_MM / slice_mm)
    heights = tuple(((k - (count - 1) / 2.0) * slice_mm) for k in range(count))
    scan = Scan(number, heights, 120, 1.0)
    ct = read_ct(write_scan(scan, folder / "ct"))
    rng = np.random.default_rng([31, number])
    bodies = moved_bodies(rng)
    drawn = {
        name: [c for z in heights if (c := body.contour(z)) is not None]
        for name, body in bodies.items()
    }
    frame = ct.geometry.frame_of_reference_uid
    path = write_structures(ct, drawn, folder / "RS.dcm")
    read = read_structure_set(path, frame_of_reference_uid=frame)
    rois = {roi.roi_name: roi for roi in read.rois}
    for kind in doses:
        shift_mm = round(float(rng.uniform(-0.5, 0.5)) * GRID_MM, 3)
        dose = _on_grid(DOSES[kind][0], shift_mm)
        volume = read_dose(write_dose(scan, frame, dose, folder / f"RD.{kind}.dcm")).volume
        where = f"{kind} dose, slices of {slice_mm} mm"
        for name in BODIES:
            if name not in rois:
                lost = _Error(math.nan, f"the structure set was read without it; {where}")
                yield from (((name, figure), lost) for figure in _FIGURES)
                continue
            truth = truth_of(bodies[name], *DOSES[kind])
            yield from _of_contours(rois[name], volume, ct, truth, where)
            yield from _on_the_page(rois[name], volume, ct, truth, where)


def _on_grid(dose: Dose, shift_mm: float) -> Volume:
    """`dose` at the nodes of a cube about the bodies that shares no node with the CT."""
    size = int(2 * _HALF_MM / GRID_MM) + 3
    corner_mm = shift_mm - (size - 1) / 2.0 * GRID_MM
    side: Floats = corner_mm + GRID_MM * np.arange(size, dtype=np.float64)
    values = dose(side[None, None, :], side[None, :, None], side[:, None, None])
    grid = VolumeGeometry((size,) * 3, (corner_mm,) * 3, (GRID_MM,) * 3, "")
    return Volume(np.broadcast_to(values, (size,) * 3), grid)


def _of_contours(
    roi: Roi, dose: Volume, ct: CtVolume, truth: Truth, where: str
) -> Iterator[tuple[tuple[str, str], _Error]]:
    points = [contour.points_mm for contour in roi.contours]
    found = sample_contours(dose, points, ct.geometry, ends="rounded", between="cubic")
    dvh = Dvh.of(found.sampled)
    part = dvh.volume_at_dose_cc(truth.level_gy)
    percent = 100.0 * part / dvh.volume_cc if dvh.volume_cc else math.nan
    yield (roi.roi_name, "volume"), _percent(dvh.volume_cc, truth.volume_cc, "cc", where)
    yield (roi.roi_name, "mean dose"), _percent(dvh.mean_gy() or 0.0, truth.mean_gy, "Gy", where)
    said = f"{percent:.3f} % at {truth.level_gy} Gy, true {truth.percent:.3f} %; {where}"
    yield (roi.roi_name, "volume at a dose"), _Error(abs(percent - truth.percent), said)


def _on_the_page(
    roi: Roi, dose: Volume, ct: CtVolume, truth: Truth, where: str
) -> Iterator[tuple[tuple[str, str], _Error]]:
    mask = mask_of_contours([c.points_mm for c in roi.contours], ct.geometry).mask
    figures = roi_dose(dose, mask, ct.geometry)
    name = roi.roi_name
    yield (name, "volume on the page"), _percent(figures.volume_cc, truth.volume_cc, "cc", where)
    yield (
        (name, "mean dose on the page"),
        _percent(figures.mean_gy or 0.0, truth.mean_gy, "Gy", where),
    )


def _percent(found: float, true: float, unit: str, where: str) -> _Error:
    said = f"{found:.4f} {unit}, true {true:.4f} {unit}; {where}"
    return _Error(100.0 * abs(found / true - 1.0), said)
