"""What SEG and SR share: the patient and study of their CT, their dates, their bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING

from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pydicom.valuerep import DA, TM

from core.errors import ConversionMismatchError
from dicom_node.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

if TYPE_CHECKING:
    from core.volume import CtVolume, SeriesIdentity

_SEXES = frozenset({"M", "F", "O"})

PRIVATE_SCHEME = "99RECONTOUR"
"""Coding scheme of the few concepts that no standard has a code for."""


def source_image(ct: CtVolume, *texts: str) -> Dataset:
    """Identity of an image of `ct` as highdicom copies it into what is derived from it.

    Not the dataset as received: an attribute of it that breaks its rules would break ours. What a
    date, a time or a sex cannot be is left empty. The character set is one for `texts` too.
    """
    identity = ct.identity
    ds = Dataset()
    ds.SpecificCharacterSet = _character_set(identity, *texts)
    ds.Modality = "CT"
    ds.SOPClassUID = CTImageStorage
    ds.PatientName, ds.PatientID = identity.patient_name, identity.patient_id
    ds.PatientBirthDate = _valid(DA, identity.patient_birth_date)
    ds.PatientSex = identity.patient_sex if identity.patient_sex in _SEXES else ""
    ds.StudyInstanceUID = identity.study_instance_uid
    ds.SeriesInstanceUID = identity.series_instance_uid
    ds.StudyID, ds.AccessionNumber = identity.study_id, identity.accession_number
    ds.StudyDate = _valid(DA, identity.study_date)
    ds.StudyTime = _valid(TM, identity.study_time)
    ds.ReferringPhysicianName = identity.referring_physician_name
    if identity.study_description:
        ds.StudyDescription = identity.study_description
    ds.FrameOfReferenceUID = ct.geometry.frame_of_reference_uid
    ds.PositionReferenceIndicator = ""
    return ds


def encoded(ds: Dataset, made_at: datetime) -> bytes:
    """`ds` as a part 10 file, dated `made_at` throughout: equal input gives equal bytes."""
    date, time = made_at.strftime("%Y%m%d"), made_at.strftime("%H%M%S")
    ds.InstanceCreationDate = ds.SeriesDate = ds.ContentDate = date
    ds.InstanceCreationTime = ds.SeriesTime = ds.ContentTime = time
    for equipment in ds.ContributingEquipmentSequence:  # highdicom, with the time of day
        equipment.ContributionDateTime = date + time
    ds.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    ds.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def person_name(name: str) -> str:
    """`name` as a PN that says which part is the family name."""
    plain = name.replace("\\", "/").replace("=", "-").strip()[:63]
    return plain if "^" in plain else f"{plain}^"


@contextmanager
def told(kind: str) -> Iterator[None]:
    """Turn what highdicom raises on values it does not take into `ConversionMismatchError`."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConversionMismatchError(
            f"The {kind} could not be written ({type(error).__name__}): a value of this CT or of "
            "the contour breaks its rules. Correct the CT's header and send it again, or let this "
            "destination have the RTSTRUCT alone."
        ) from error


def _valid(kind: Callable[[str], object], value: str) -> str:
    try:
        kind(value)
    except ValueError:
        return ""
    return value


def _character_set(identity: SeriesIdentity, *texts: str) -> str:
    """Latin 1 where it suffices, else UTF-8 (PS3.3 C.12.1.1.2)."""
    written = (
        *texts,
        identity.patient_name,
        identity.patient_id,
        identity.study_id,
        identity.accession_number,
        identity.referring_physician_name,
        identity.study_description,
    )
    try:
        "".join(written).encode("iso-8859-1")
    except UnicodeEncodeError:
        return "ISO_IR 192"
    return "ISO_IR 100"
