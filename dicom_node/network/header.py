"""What the node must know of an instance in order to keep it, without its pixels."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword

from core.errors import UnreadableObjectError
from core.records import InstanceHeader
from dicom_node.network.header_scan import scan

_NEEDED = (
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "FrameOfReferenceUID",
    "ReferencedFrameOfReferenceSequence",
    "StructureSetROISequence",
    "ReferencedRTPlanSequence",
    "ReferencedStructureSetSequence",
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "StudyDate",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "BodyPartExamined",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "SeriesNumber",
    "InstanceNumber",
    "NumberOfSeriesRelatedInstances",
)

_Values = Dataset | dict[str, Any]
_TAGS = {keyword: tag_for_keyword(keyword) or 0 for keyword in _NEEDED}
_WANTED = {tag: (keyword, dictionary_VR(tag)) for keyword, tag in _TAGS.items()}
_REQUIRED = {"SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"}
_SEQUENCES = frozenset(keyword for keyword in _NEEDED if keyword.endswith("Sequence"))
_PLAIN_CHARACTER_SETS = frozenset({"", "ISO_IR 6", "ISO_IR 100", "ISO_IR 192"})
_INTEGERS = ("SeriesNumber", "InstanceNumber", "NumberOfSeriesRelatedInstances")


def read_header(part10: bytes) -> InstanceHeader:
    """The header of an instance in the DICOM file format (PS3.10).

    Raises `UnreadableObjectError` when it cannot be read or a UID of type 1 is missing.
    """
    plain = _scanned(part10)
    if plain is not None:
        return _header(plain)
    try:
        ds = dcmread(BytesIO(part10), stop_before_pixels=True, specific_tags=list(_NEEDED))
        return _header(ds)
    except UnreadableObjectError:
        raise
    except Exception as error:
        # A damaged data set makes pydicom raise a dozen kinds, recursion among them.
        raise UnreadableObjectError(
            f"The data set cannot be read ({type(error).__name__}). Send the instance again, or "
            "export it anew."
        ) from error


def _scanned(part10: bytes) -> dict[str, str] | None:
    """The needed values, where nothing about them needs a parser."""
    found = scan(part10, _WANTED)
    if found is None or not _SEQUENCES.isdisjoint(found) or not found.keys() >= _REQUIRED:
        return None
    if found.get("SpecificCharacterSet", "").strip(" \0") not in _PLAIN_CHARACTER_SETS:
        return None
    for keyword in _INTEGERS:
        digits = found.get(keyword, "").strip(" \0")
        if digits and not digits.isdecimal():
            return None
    if "=" in found.get("PatientName", ""):
        return None
    return found


def _header(ds: _Values) -> InstanceHeader:
    return InstanceHeader(
        sop_instance_uid=_required(ds, "SOPInstanceUID"),
        sop_class_uid=_required(ds, "SOPClassUID"),
        study_instance_uid=_required(ds, "StudyInstanceUID"),
        series_instance_uid=_required(ds, "SeriesInstanceUID"),
        modality=_text(ds, "Modality", longest=16),
        frame_of_reference_uid=_frame_of_reference(ds),
        referenced_uids=_references(ds),
        patient_id=_text(ds, "PatientID", longest=256),
        patient_name=_text(ds, "PatientName", longest=400),
        patient_birth_date=_text(ds, "PatientBirthDate", longest=16),
        study_date=_text(ds, "StudyDate", longest=16),
        study_description=_text(ds, "StudyDescription", longest=200),
        series_description=_text(ds, "SeriesDescription", longest=200),
        protocol_name=_text(ds, "ProtocolName", longest=200),
        body_part_examined=_text(ds, "BodyPartExamined", longest=64),
        study_time=_text(ds, "StudyTime", longest=16),
        study_id=_text(ds, "StudyID", longest=16),
        accession_number=_text(ds, "AccessionNumber", longest=16),
        series_number=_text(ds, "SeriesNumber", longest=12),
        instance_number=_text(ds, "InstanceNumber", longest=12),
        expected_count=_count(ds, "NumberOfSeriesRelatedInstances"),
    )


def _required(ds: _Values, keyword: str) -> str:
    value = _uid(ds, keyword)
    if not value:
        raise UnreadableObjectError(
            f"{keyword} (type 1) is missing. The sender must be corrected; nothing was kept."
        )
    return value


def _uid(ds: _Values, keyword: str) -> str:
    value = ds.get(keyword)
    return "" if value is None else str(value).strip(" \0")


def _text(ds: _Values, keyword: str, *, longest: int) -> str:
    value = ds.get(keyword)
    # A data base takes no NUL, and no more than its column holds.
    return "" if value is None else str(value).replace("\0", "").strip()[:longest]


def _count(ds: _Values, keyword: str) -> int | None:
    found = _text(ds, keyword, longest=12)
    return int(found) if found.isdecimal() and int(found) > 0 else None


def _frame_of_reference(ds: _Values) -> str | None:
    """Of an RTSTRUCT the frame most of its ROIs lie on, of equals the first one listed."""
    # It says so in its references; the attribute of its own is a late addition.
    listed = _uids(ds, "ReferencedFrameOfReferenceSequence", "FrameOfReferenceUID")
    drawn = _uids(ds, "StructureSetROISequence", "ReferencedFrameOfReferenceUID")
    if listed:
        return max(listed, key=drawn.count)
    return _uid(ds, "FrameOfReferenceUID") or None


def _uids(ds: _Values, sequence: str, keyword: str) -> list[str]:
    return [uid for item in ds.get(sequence) or [] if (uid := _uid(item, keyword))]


def _references(ds: _Values) -> tuple[str, ...]:
    found = [
        _uid(item, "ReferencedSOPInstanceUID")
        for keyword in ("ReferencedRTPlanSequence", "ReferencedStructureSetSequence")
        for item in ds.get(keyword) or []
    ]
    found += [
        _uid(series, "SeriesInstanceUID")
        for frame in ds.get("ReferencedFrameOfReferenceSequence") or []
        for study in frame.get("RTReferencedStudySequence") or []
        for series in study.get("RTReferencedSeriesSequence") or []
    ]
    return tuple(uid for uid in found if uid)
