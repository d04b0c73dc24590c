"""RTSTRUCT to a structure set."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage

from core.errors import UnreadableObjectError
from core.structures import Roi, StructureSet
from dicom_node.objects.attributes import items, missing, number, numbers, read_object, text
from dicom_node.objects.contour_reader import read_outline

_DEFAULT_COLOUR = (255, 255, 0)


def read_structure_set(path: Path, *, frame_of_reference_uid: str | None = None) -> StructureSet:
    """The structure set in `path`: every ROI with its closed planar contours, LPS mm.

    Of a structure set on several frames of reference the ROIs on `frame_of_reference_uid` are
    kept. A ROI may be empty. What is missing, damaged or left out is a sentence in `findings`, of
    the ROI or of the whole, wherever the rest can be used.

    Several contours on a slice combine by exclusive or, as Eclipse draws them: a loop inside
    another is a hole, whether it says CLOSED_PLANAR or CLOSEDPLANAR_XOR (PS3.3 C.8.8.6).

    Raises `UnreadableObjectError` for another object, without ROIs, without a frame of reference,
    and with several frames of which none is the one asked for.
    """
    ds = read_object(path, headless=True)
    if text(ds, "SOPClassUID") != RTStructureSetStorage:
        raise UnreadableObjectError(
            f"The object is of SOP Class {text(ds, 'SOPClassUID') or 'unknown'}; expected RT "
            f"Structure Set ({RTStructureSetStorage}). Export the structure set."
        )
    described = items(ds, "StructureSetROISequence")
    if not described:
        raise missing(ds, "StructureSetROISequence")
    frame = _frame_of_reference(ds, described, wanted=frame_of_reference_uid)
    findings: list[str] = []
    rois = _rois(ds, _on_frame(described, frame, findings), findings)
    return StructureSet(
        sop_instance_uid=_sop_instance_uid(ds),
        frame_of_reference_uid=frame,
        referenced_series_instance_uid=_referenced_series(ds, frame),
        label=text(ds, "StructureSetLabel"),
        approval_status=text(ds, "ApprovalStatus"),
        drawn_at=_drawn_at(ds),
        predecessor_uids=_predecessors(ds),
        rois=rois,
        findings=tuple(findings),
    )


def _sop_instance_uid(ds: Dataset) -> str:
    found = text(ds, "SOPInstanceUID") or text(ds.file_meta, "MediaStorageSOPInstanceUID")
    if not found:
        raise missing(ds, "SOPInstanceUID")
    return found


def _drawn_at(ds: Dataset) -> str:
    """Structure Set Date and Time (3006,0008/0009) to the second; "" where either is odd."""
    found = text(ds, "StructureSetDate") + text(ds, "StructureSetTime").partition(".")[0]
    return found if len(found) == 14 and found.isdecimal() else ""


def _predecessors(ds: Dataset) -> tuple[str, ...]:
    """Structure sets that this one says it was made from (PS3.3 C.8.8.5, (3006,0018))."""
    keywords = ("PredecessorStructureSetSequence", "ReferencedStructureSetSequence")
    named = [item for keyword in keywords for item in items(ds, keyword)]
    return tuple(uid for item in named if (uid := text(item, "ReferencedSOPInstanceUID")))


def _frame_of_reference(ds: Dataset, described: list[Dataset], *, wanted: str | None) -> str:
    # What the ROIs say counts; a structure set may list frames that none of them uses.
    used = {text(roi, "ReferencedFrameOfReferenceUID") for roi in described} - {""}
    listed = {
        text(frame, "FrameOfReferenceUID")
        for frame in items(ds, "ReferencedFrameOfReferenceSequence")
    } - {""}
    own = {text(ds, "FrameOfReferenceUID")} - {""}
    found = used or listed or own
    if wanted in found:
        return str(wanted)
    if len(found) != 1:
        raise UnreadableObjectError(
            f"The structure set names {len(found)} frames of reference; expected one, or that of "
            "the CT among them. Export the structures of one image series."
        )
    return next(iter(found))


def _on_frame(described: list[Dataset], frame: str, findings: list[str]) -> list[Dataset]:
    """The ROIs on `frame`; one that names none lies there only where no other frame is used."""
    named = [text(roi, "ReferencedFrameOfReferenceUID") for roi in described]
    here = {frame} if set(named) - {frame, ""} else {frame, ""}
    pairs = list(zip(described, named, strict=True))
    elsewhere = sorted(text(roi, "ROIName") for roi, uid in pairs if uid not in here)
    if elsewhere:
        findings.append(f"On another frame of reference and left out: {', '.join(elsewhere)}.")
    return [roi for roi, uid in pairs if uid in here]


def _rois(ds: Dataset, described: list[Dataset], findings: list[str]) -> tuple[Roi, ...]:
    outlines = _by_roi_number(ds, "ROIContourSequence")
    observed = _by_roi_number(ds, "RTROIObservationsSequence")
    given = Counter(_whole_number(i, "ROINumber") for i in items(ds, "StructureSetROISequence"))
    rois: list[Roi] = []
    for item in described:
        roi_number = _whole_number(item, "ROINumber")
        if roi_number is None or given[roi_number] > 1:
            # Its contours are found by its number alone: they could be another structure's.
            name = text(item, "ROIName") or "A ROI without a name"
            findings.append(f"{name} has no ROI Number of its own and was left out.")
        else:
            rois.append(_roi(item, roi_number, outlines[roi_number], observed[roi_number]))
    _tell_names(rois, findings)
    astray = len(set(outlines) - set(given))
    if astray:
        findings.append(f"Contours that belong to no ROI were left out: {astray}.")
    return tuple(rois)


def _tell_names(rois: list[Roi], findings: list[str]) -> None:
    names = Counter(roi.roi_name.casefold() for roi in rois)
    if names[""]:
        findings.append(f"ROIs without a name: {names['']}.")
    for name, count in names.items():
        if name and count > 1:
            findings.append(
                f"{count} ROIs are named {name}; the first that has contours is taken for it."
            )


def _roi(
    described: Dataset, roi_number: int, outlines: list[Dataset], observed: list[Dataset]
) -> Roi:
    findings = []
    try:
        contour_items = [c for outline in outlines for c in items(outline, "ContourSequence")]
    except UnreadableObjectError:
        contour_items = []
        findings.append("Its contours cannot be read.")
    outline = read_outline(contour_items)
    return Roi(
        roi_number=roi_number,
        roi_name=text(described, "ROIName"),
        contours=outline.contours,
        interpreted_type=text(observed[0], "RTROIInterpretedType") if observed else "",
        colour=_colour(outlines),
        contours_left_out=outline.contours_left_out,
        contours_damaged=outline.contours_damaged + len(findings),
        findings=(*findings, *outline.findings),
    )


def _by_roi_number(ds: Dataset, keyword: str) -> defaultdict[int | None, list[Dataset]]:
    found: defaultdict[int | None, list[Dataset]] = defaultdict(list)
    for item in items(ds, keyword):
        found[_whole_number(item, "ReferencedROINumber")].append(item)
    return found


def _whole_number(item: Dataset, keyword: str) -> int | None:
    try:
        found = number(item, keyword)
    except UnreadableObjectError:
        return None
    return int(found) if found.is_integer() else None


def _colour(outlines: list[Dataset]) -> tuple[int, int, int]:
    try:
        red, green, blue = (int(v) % 256 for v in numbers(outlines[0], "ROIDisplayColor", 3))
    except (IndexError, UnreadableObjectError):
        return _DEFAULT_COLOUR
    return red, green, blue


def _referenced_series(ds: Dataset, frame_of_reference_uid: str) -> str | None:
    """The first series listed, of those on `frame_of_reference_uid` where there are any."""
    frames = items(ds, "ReferencedFrameOfReferenceSequence")
    frames.sort(key=lambda item: text(item, "FrameOfReferenceUID") != frame_of_reference_uid)
    for frame in frames:
        for study in items(frame, "RTReferencedStudySequence"):
            for series in items(study, "RTReferencedSeriesSequence"):
                if uid := text(series, "SeriesInstanceUID"):
                    return uid
    return None
