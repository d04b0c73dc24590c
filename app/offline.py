"""Dose and comparison of structure sets from files alone, without a running node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.dose_rows import DoseColumns, Row, contour_note, coverage_note, dose_row, sentences
from app.dvh_table import DvhTable
from core.errors import GeometryMismatchError, UnreadableObjectError
from core.geometry import Mask, VolumeGeometry, require_same_frame_of_reference
from core.rasterise import mask_of_contours
from core.structures import Roi, StructureSet
from core.volume import CtVolume, Volume
from dicom_node.objects.ct_reader import ct_paths_in, read_ct
from dicom_node.objects.rtdose_reader import read_dose
from dicom_node.objects.rtstruct_reader import read_structure_set
from dose.difference import dice
from dose.interpolation import Between
from dose.metrics import roi_dose
from dose.solid import Ends

_WHOLE_SET = "(structure set)"  # names the row of what concerns no single ROI


def dose_command(  # noqa: PLR0913 (one argument an option)
    rtstruct: Path,
    rtdose: Path,
    ct_folder: Path | None,
    *,
    ends: Ends = "half",
    between: Between = "linear",
    metrics: Sequence[str] = (),
    dvh: Path | None = None,
) -> list[Row]:
    """Volume (cc), mean, minimum and maximum dose (Gy) and coverage (0..1) of every ROI.

    Voxels are the CT's, or without a CT of about 1 mm around the contours; each counts with the
    part that the contours cover. The figures are of what the dose grid covers; `note` says where
    that is not the whole. `ends` says what the contours stand for, `between` what the dose is
    between its nodes; `metrics` names more figures, as `dose.dvh_metrics` knows them; `dvh` is a
    file for the histograms. A last row tells what the
    structure set held that was left out, and where the dose is not of the whole plan.
    Raises `GeometryMismatchError` where the frames of reference differ.
    """
    curves = DvhTable() if dvh else None
    columns = DoseColumns(ends, between, tuple(metrics), curves)
    read = read_dose(rtdose)
    dose = read.volume
    structure_set = read_structure_set(
        rtstruct, frame_of_reference_uid=dose.geometry.frame_of_reference_uid
    )
    ct = None if ct_folder is None else read_ct_folder(ct_folder).geometry
    _require_on(dose.geometry, structure_set, what="dose")
    if ct is not None:
        _require_on(ct, structure_set, what="CT")
    rows = [dose_row(roi, structure_set, dose, ct, columns) for roi in structure_set.rois]
    if dvh and curves:
        curves.write(dvh)
    whole: Row = {"roi_number": None, "roi_name": _WHOLE_SET}
    note = sentences(*structure_set.findings, *read.origin.limits())
    return [*rows, whole | columns.of(None, note)] if note else rows


def compare_command(ct_folder: Path, first: Path, second: Path, rtdose: Path | None) -> list[Row]:
    """Dice, volumes (cc) and mean doses (Gy) of the ROIs that two structure sets both name.

    Names are matched without regard to case; differences are second minus first. A ROI that only
    one of them has gets a row that says so.
    """
    geometry = read_ct_folder(ct_folder).geometry
    read = None if rtdose is None else read_dose(rtdose)
    dose = None if read is None else read.volume
    frame = geometry.frame_of_reference_uid
    sets = [read_structure_set(path, frame_of_reference_uid=frame) for path in (first, second)]
    for structure_set in sets:
        _require_on(geometry, structure_set, what="CT")
    if dose is not None:
        require_same_frame_of_reference(geometry, dose.geometry)
    names: dict[str, str] = {}
    for roi in (*sets[0].rois, *sets[1].rois):
        names.setdefault(roi.roi_name.strip().casefold(), roi.roi_name)
    rows = [
        _comparison_row(name, *(_side(s, name, geometry, dose) for s in sets))
        for name in names.values()
    ]
    limits = () if read is None else read.origin.limits()
    whole = [_Side(None, None, None, sentences(*s.findings, *limits)) for s in sets]
    return [*rows, _comparison_row(_WHOLE_SET, *whole)] if any(s.note for s in whole) else rows


def read_ct_folder(folder: Path) -> CtVolume:
    """The one CT series in `folder`; other objects beside it are left alone."""
    paths = ct_paths_in(folder)
    if not paths:
        raise UnreadableObjectError(
            f"No CT instance is in {folder}; name the folder that holds the CT series."
        )
    return read_ct(paths)


@dataclass(frozen=True, slots=True)
class _Side:
    """One of two structures that are compared; None where it does not exist."""

    mask: Mask | None
    volume_cc: float | None
    mean_gy: float | None
    note: str


def _comparison_row(name: str, first: _Side, second: _Side) -> Row:
    return {
        "roi_name": name,
        "dice": _dice(first.mask, second.mask),
        "volume_1_cc": first.volume_cc,
        "volume_2_cc": second.volume_cc,
        "volume_difference_cc": _difference(first.volume_cc, second.volume_cc),
        "mean_1_gy": first.mean_gy,
        "mean_2_gy": second.mean_gy,
        "mean_difference_gy": _difference(first.mean_gy, second.mean_gy),
        "note": sentences(
            first.note and f"First: {first.note}", second.note and f"Second: {second.note}"
        ),
    }


def _side(
    structure_set: StructureSet, name: str, geometry: VolumeGeometry, dose: Volume | None
) -> _Side:
    roi = structure_set.roi_named(name)
    if roi is None:
        return _Side(None, None, None, "It is not there.")
    mask, note = _painted(roi, geometry)
    volume_cc = geometry.volume_cc(mask)
    if dose is None:
        return _Side(mask, volume_cc, None, note)
    figures = roi_dose(dose, mask, geometry)
    return _Side(mask, volume_cc, figures.mean_gy, sentences(note, coverage_note(figures)))


def _painted(roi: Roi, geometry: VolumeGeometry) -> tuple[Mask, str]:
    """The mask of `roi` on `geometry`, and sentences on what could not be painted or ""."""
    painted = mask_of_contours([contour.points_mm for contour in roi.contours], geometry)
    return painted.mask, contour_note(roi, off_grid=painted.contours_off_grid)


def _dice(first: Mask | None, second: Mask | None) -> float | None:
    """Dice, or None where there are not two contoured structures."""
    if first is None or second is None or not (first.any() or second.any()):
        return None
    return dice(first, second)


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else second - first


def _require_on(geometry: VolumeGeometry, structure_set: StructureSet, *, what: str) -> None:
    """Raise `GeometryMismatchError` unless both are on one frame of reference."""
    if structure_set.frame_of_reference_uid != geometry.frame_of_reference_uid:
        raise GeometryMismatchError(
            f"The structure set is on Frame of Reference {structure_set.frame_of_reference_uid}, "
            f"the {what} on {geometry.frame_of_reference_uid}. Name the {what} that belongs to it."
        )
