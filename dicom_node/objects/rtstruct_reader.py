"""RTSTRUCT to a structure set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage

from core.errors import UnreadableObjectError
from core.geometry import Points
from core.structures import Contour, Roi, StructureSet
from dicom_node.objects.attributes import (
    items,
    missing,
    number,
    numbers,
    optional_number,
    read_object,
    required_text,
    text,
)

_CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
_DEFAULT_COLOUR = (255, 255, 0)


def read_structure_set(path: Path) -> StructureSet:
    """The structure set in `path`: every ROI with its closed planar contours, LPS mm.

    A ROI may be empty. Points and open lines are left out and counted.

    Raises `UnreadableObjectError` without ROIs, without a frame of reference or with several, and
    for contours that do not hold what they announce.
    """
    ds = read_object(path)
    if text(ds, "SOPClassUID") != RTStructureSetStorage:
        raise UnreadableObjectError(
            f"The object is of SOP Class {text(ds, 'SOPClassUID') or 'unknown'}; expected RT "
            f"Structure Set ({RTStructureSetStorage}). Export the structure set."
        )
    described = items(ds, "StructureSetROISequence")
    if not described:
        raise missing(ds, "StructureSetROISequence")
    outlines = {_roi_number(item): item for item in items(ds, "ROIContourSequence")}
    types = {
        _roi_number(item): text(item, "RTROIInterpretedType")
        for item in items(ds, "RTROIObservationsSequence")
    }
    rois = []
    for item in described:
        roi_number = int(number(item, "ROINumber"))
        rois.append(_roi(item, outlines.get(roi_number), types.get(roi_number, "")))
    return StructureSet(
        sop_instance_uid=required_text(ds, "SOPInstanceUID"),
        frame_of_reference_uid=_frame_of_reference(ds, described),
        referenced_series_instance_uid=_referenced_series(ds),
        label=text(ds, "StructureSetLabel"),
        approval_status=text(ds, "ApprovalStatus"),
        rois=tuple(rois),
    )


def _roi_number(item: Dataset) -> int:
    return int(number(item, "ReferencedROINumber"))


def _roi(described: Dataset, outline: Dataset | None, interpreted_type: str) -> Roi:
    contours: list[Contour] = []
    left_out = 0
    for item in items(outline, "ContourSequence") if outline is not None else []:
        points_mm = _points(item)
        if text(item, "ContourGeometricType") in _CLOSED and len(points_mm) > 2:
            contours.append(Contour(points_mm, _image_of(item)))
        else:
            left_out += 1
    return Roi(
        roi_number=int(number(described, "ROINumber")),
        roi_name=text(described, "ROIName"),
        contours=tuple(contours),
        interpreted_type=interpreted_type,
        colour=_colour(outline),
        contours_left_out=left_out,
    )


def _points(item: Dataset) -> Points:
    """Contour Data as (n, 3) in mm, without a repeated first point."""
    values = _contour_data(item)
    announced = optional_number(item, "NumberOfContourPoints")
    expected = len(values) if announced is None else 3 * announced
    if len(values) % 3 or len(values) != expected:
        raise UnreadableObjectError(
            f"A contour holds {len(values)} coordinates and announces {expected:g}; expected three "
            "for each point. Export the structure set again."
        )
    points = values.reshape(-1, 3)
    closed_twice = len(points) > 1 and np.array_equal(points[0], points[-1])
    return points[:-1] if closed_twice else points


def _contour_data(item: Dataset) -> Points:
    element: Any = item.get_item("ContourData") if "ContourData" in item else None
    if element is None or not element.value:
        return np.empty(0)
    if not isinstance(element, RawDataElement):
        return np.asarray(numbers(item, "ContourData"), np.float64)
    # Parsed here and not by pydicom, which makes an object of every coordinate.
    try:
        values = np.array([float(v) for v in element.value.rstrip(b"\0 ").split(b"\\")])
    except ValueError as error:
        raise UnreadableObjectError(
            "A contour holds coordinates that are not numbers. Export the structure set again."
        ) from error
    if not np.isfinite(values).all():
        raise UnreadableObjectError(
            "A contour holds coordinates that are not finite. Export the structure set again."
        )
    return values


def _image_of(item: Dataset) -> str | None:
    images = items(item, "ContourImageSequence")
    return (text(images[0], "ReferencedSOPInstanceUID") or None) if images else None


def _colour(outline: Dataset | None) -> tuple[int, int, int]:
    if outline is None or not text(outline, "ROIDisplayColor"):
        return _DEFAULT_COLOUR
    red, green, blue = (int(v) % 256 for v in numbers(outline, "ROIDisplayColor", 3))
    return red, green, blue


def _frame_of_reference(ds: Dataset, described: list[Dataset]) -> str:
    # What the ROIs say counts; a structure set may list frames that none of them uses.
    used = {text(roi, "ReferencedFrameOfReferenceUID") for roi in described} - {""}
    listed = {
        text(frame, "FrameOfReferenceUID")
        for frame in items(ds, "ReferencedFrameOfReferenceSequence")
    } - {""}
    own = {text(ds, "FrameOfReferenceUID")} - {""}
    found = used or listed or own
    if len(found) != 1:
        raise UnreadableObjectError(
            f"The structure set names {len(found)} frames of reference; expected one. "
            "Export the structures of one image series."
        )
    return next(iter(found))


def _referenced_series(ds: Dataset) -> str | None:
    for frame in items(ds, "ReferencedFrameOfReferenceSequence"):
        for study in items(frame, "RTReferencedStudySequence"):
            for series in items(study, "RTReferencedSeriesSequence"):
                if uid := text(series, "SeriesInstanceUID"):
                    return uid
    return None
