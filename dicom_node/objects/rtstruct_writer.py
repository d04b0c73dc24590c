"""Masks to RTSTRUCT, as treatment planning systems want it.

What Varian Eclipse insists on: decimals of at most 16 characters, one frame of reference, the
study of the CT and a series of its own, an image reference at every contour, all type 2
attributes, label and ROI names of at most 16 characters, complete structure codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ImplicitVRLittleEndian, RTStructureSetStorage

from core.config import CodeSettings
from core.geometry import Mask
from core.volume import CtVolume, SeriesIdentity
from dicom_node.implementation import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MANUFACTURER,
)
from dicom_node.objects.contour_writer import set_contours, set_images
from dicom_node.objects.implicit_items import write_as_it_is
from dicom_node.objects.short_names import LONGEST as _SHORT
from dicom_node.objects.short_names import plain, short_names
from dicom_node.objects.structure_codes import identification_code

_LONG, _LONGEST_TEXT = 64, 1024


@dataclass(frozen=True, slots=True)
class WrittenRoi:
    """One structure to write; `mask` lies on the geometry of the CT, `colour` is RGB 0..255.

    Contours are made from the mask alone: an outline smoothed or thinned out for display has no
    way into an object.
    """

    name: str
    mask: Mask
    interpreted_type: str
    colour: tuple[int, int, int]
    code: CodeSettings | None = None


@dataclass(frozen=True, slots=True)
class ReviewedBy:
    """Who approved the structures, and when."""

    name: str
    at: datetime


def write_structure_set(  # noqa: PLR0913 (one argument an attribute)
    ct: CtVolume,
    rois: Sequence[WrittenRoi],
    *,
    sop_instance_uid: str,
    series_instance_uid: str,
    label: str,
    made_at: datetime,
    approval: ReviewedBy | None,
    software_versions: Sequence[str],
    series_description: str,
    predecessor_uid: str | None = None,
) -> bytes:
    """The RTSTRUCT of `rois` on `ct` as a part 10 file; equal input gives equal bytes.

    Without `approval` the structures say UNAPPROVED. ROI names are cut as `short_names` says; a
    name that was cut stands whole in ROI Description. `software_versions` are ours and that of the
    model behind the contours, at most 64 characters each. `predecessor_uid` names the structure set
    that this one replaces, if any. Dates are written as `made_at` and
    `approval.at` carry them: give local time. Implicit VR Little Endian, because a contour may
    need more than the 64 kB an explicit VR allows.

    Raises `GeometryMismatchError` for a CT so far out that its coordinates fit no decimal string.
    """
    ds = _composite(ct.identity, sop_instance_uid, made_at)
    _add_series(ds, series_instance_uid, series_description, made_at)
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = MANUFACTURER
    ds.SoftwareVersions = [plain(v, _LONG) for v in software_versions]
    ds.FrameOfReferenceUID = ct.geometry.frame_of_reference_uid
    ds.PositionReferenceIndicator = ""
    ds.StructureSetLabel = plain(label, _SHORT)
    ds.StructureSetDate, ds.StructureSetTime = _date(made_at), _time(made_at)
    if predecessor_uid is not None:
        ds.PredecessorStructureSetSequence = [_reference(predecessor_uid)]
    ds.ReferencedFrameOfReferenceSequence = [_frame_of_reference(ct)]
    algorithm = "AUTOMATIC" if approval is None else "SEMIAUTOMATIC"
    names = short_names([roi.name for roi in rois])
    named = list(zip(range(1, len(rois) + 1), names, rois, strict=True))
    ds.StructureSetROISequence = [_described(*each, ct, algorithm) for each in named]
    ds.ROIContourSequence = [_outlined(n, roi, ct) for n, _, roi in named]
    ds.RTROIObservationsSequence = [_observed(*each, approval) for each in named]
    _add_approval(ds, approval)
    ds.SpecificCharacterSet = _character_set(ds)
    return _encoded(ds)


def _reference(sop_instance_uid: str) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID = RTStructureSetStorage
    ds.ReferencedSOPInstanceUID = sop_instance_uid
    return ds


def _composite(identity: SeriesIdentity, sop_instance_uid: str, made_at: datetime) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = RTStructureSetStorage
    ds.SOPInstanceUID = sop_instance_uid
    ds.InstanceCreationDate, ds.InstanceCreationTime = _date(made_at), _time(made_at)
    ds.PatientName = identity.patient_name
    ds.PatientID = identity.patient_id
    ds.PatientBirthDate = identity.patient_birth_date
    ds.PatientSex = identity.patient_sex
    ds.StudyInstanceUID = identity.study_instance_uid
    ds.StudyID = identity.study_id
    ds.StudyDate = identity.study_date
    ds.StudyTime = identity.study_time
    ds.AccessionNumber = identity.accession_number
    ds.ReferringPhysicianName = identity.referring_physician_name
    if identity.study_description:
        ds.StudyDescription = identity.study_description
    return ds


def _add_series(ds: Dataset, series_instance_uid: str, description: str, made_at: datetime) -> None:
    ds.Modality = "RTSTRUCT"
    ds.SeriesInstanceUID = series_instance_uid
    ds.SeriesNumber = 1
    ds.SeriesDate, ds.SeriesTime = _date(made_at), _time(made_at)
    ds.SeriesDescription = plain(description, _LONG)
    ds.OperatorsName = ""
    ds.InstanceNumber = 1


def _frame_of_reference(ct: CtVolume) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = ct.identity.series_instance_uid
    set_images(series, ct)
    study = Dataset()
    study.ReferencedSOPClassUID = ct.identity.study_sop_class_uid
    study.ReferencedSOPInstanceUID = ct.identity.study_instance_uid
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = ct.geometry.frame_of_reference_uid
    frame.RTReferencedStudySequence = [study]
    for around in (study, frame):
        write_as_it_is(around)
    return frame


def _described(
    roi_number: int, name: str, roi: WrittenRoi, ct: CtVolume, algorithm: str
) -> Dataset:
    item = Dataset()
    item.ROINumber = roi_number
    item.ReferencedFrameOfReferenceUID = ct.geometry.frame_of_reference_uid
    item.ROIName = name
    if name != roi.name:
        item.ROIDescription = plain(roi.name, _LONGEST_TEXT)
    item.ROIGenerationAlgorithm = algorithm
    return item


def _outlined(roi_number: int, roi: WrittenRoi, ct: CtVolume) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = list(roi.colour)
    item.ReferencedROINumber = roi_number
    set_contours(item, roi.mask, ct)
    return item


def _observed(roi_number: int, name: str, roi: WrittenRoi, approval: ReviewedBy | None) -> Dataset:
    item = Dataset()
    item.ObservationNumber = roi_number
    item.ReferencedROINumber = roi_number
    item.ROIObservationLabel = name
    if roi.code is not None:
        item.RTROIIdentificationCodeSequence = [identification_code(roi.code)]
    item.RTROIInterpretedType = roi.interpreted_type
    item.ROIInterpreter = "" if approval is None else _person(approval.name)
    return item


def _add_approval(ds: Dataset, approval: ReviewedBy | None) -> None:
    ds.ApprovalStatus = "UNAPPROVED" if approval is None else "APPROVED"
    if approval is not None:
        ds.ReviewDate, ds.ReviewTime = _date(approval.at), _time(approval.at)
        ds.ReviewerName = _person(approval.name)


def _character_set(ds: Dataset) -> str:
    """Latin 1 where it suffices: every system reads it; else UTF-8 (PS3.3 C.12.1.1.2)."""
    told = [ds, *ds.StructureSetROISequence, *ds.RTROIObservationsSequence]
    for item in list(ds.RTROIObservationsSequence):
        told += item.get("RTROIIdentificationCodeSequence", [])
    texts = [str(e.value) for item in told for e in item if e.VR in {"PN", "LO", "SH", "ST"}]
    try:
        "".join(texts).encode("iso-8859-1")
    except UnicodeEncodeError:
        return "ISO_IR 192"
    return "ISO_IR 100"


def _encoded(ds: Dataset) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = RTStructureSetStorage
    ds.file_meta.MediaStorageSOPInstanceUID = UID(ds.SOPInstanceUID)
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    ds.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    write_as_it_is(ds)
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _person(name: str) -> str:
    return plain(name, _LONG).replace("=", "-")


def _date(moment: datetime) -> str:
    return moment.strftime("%Y%m%d")


def _time(moment: datetime) -> str:
    return moment.strftime("%H%M%S")
