"""CT, RTSTRUCT, RTDOSE and RTPLAN without the patient: PS3.15 Annex E, basic profile.

Pixel data, contours, dose and every other figure stay the bytes they were. One `Deidentifier`
serves one export: the same UID becomes the same new UID in all of its objects, so that references
hold, and nobody can compute the new UID from the old one.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

from pydicom import dcmwrite
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    CTImageStorage,
    RTDoseStorage,
    RTPlanStorage,
    RTStructureSetStorage,
)

from core.errors import UnreadableObjectError
from dicom_node.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.objects.confidentiality_profile import (
    PROFILE_CODE,
    PROFILE_NAME,
    REMOVED_VRS,
    Action,
    action_for,
)
from dicom_node.objects.identity import Identity, elements_of
from dicom_node.objects.standard_names import StandardNames
from dicom_node.objects.uids import derived_uid

DEIDENTIFIED_CLASSES = (CTImageStorage, RTStructureSetStorage, RTDoseStorage, RTPlanStorage)

_SHORT_TEXTS = frozenset({"AE", "AS", "CS", "LO", "SH", "UI"})
_DUMMY = "DEIDENTIFIED"
_DUMMIES = {"DA": "19000101", "TM": "000000", "DT": "19000101000000"}
_OVERLAY_GROUPS = range(0x6000, 0x6020, 2)

# Without these the object is not readable: a patient named "Axial" takes none of them.
_NEVER_SWEPT = frozenset(
    [
        *("SpecificCharacterSet", "ImageType", "Modality", "PatientPosition", "RescaleType"),
        *("PhotometricInterpretation", "CodeValue", "CodingSchemeDesignator", "Manufacturer"),
    ]
)
# Code strings of RT objects are defined terms, and say how a beam turns or a contour is meant.
_FIRST_RT_GROUP = 0x3000


class CannotDeidentifyError(UnreadableObjectError):
    """The object cannot be made anonymous by its attributes alone."""


@dataclass
class Changes:
    """How often which attribute was changed, and how; never a value."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, tag: BaseTag, action: str) -> None:
        """Count one change of the attribute `tag`."""
        name = "private" if tag.is_private else keyword_for_tag(tag) or "unknown"
        self.counts[(name, action)] += 1


@dataclass(frozen=True)
class Deidentified:
    """A DICOM file without its patient, under its new UID."""

    content: bytes
    sop_instance_uid: str
    changes: Changes


class Deidentifier:
    """What the objects of one export have in common: a secret, and whom nobody must recognise."""

    def __init__(self, *, roi_names: Iterable[str] = ()) -> None:
        """`roi_names` are structure names that may stay, beside the standard ones."""
        self._secret = secrets.token_hex(32)
        self._standard = StandardNames(roi_names)
        self._identity = Identity()

    def look_for_whom(self, ds: Dataset) -> None:
        """Whoever `ds` names is looked for in each object; `ds` may be without its pixels.

        Show it every object of the export before the first is de-identified.
        """
        with _told_as_unreadable():
            self._identity.gather(ds)

    def _new_uid(self, original: str) -> str:
        return derived_uid("de-identified", self._secret, original.strip(" \0"))

    def deidentified(self, ds: Dataset) -> Deidentified:
        """`ds`, which is used up, as a file in its transfer syntax, and what was changed.

        Raises `CannotDeidentifyError` where identity may lie in the pixels, and for kinds of
        objects this profile is not made for.
        """
        with _told_as_unreadable():
            return self._deidentified(ds)

    def _deidentified(self, ds: Dataset) -> Deidentified:
        _require_possible(ds)
        changes = Changes()
        patient = self._pseudonym(str(ds.get("PatientID") or ds.get("PatientName") or "").strip())
        self._clean(ds, changes, patient)
        _declare(ds)
        syntax = ds.file_meta.TransferSyntaxUID
        ds.file_meta = FileMetaDataset()
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.file_meta.TransferSyntaxUID = syntax
        ds.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
        ds.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
        ds.preamble = b"\0" * 128
        buffer = BytesIO()
        dcmwrite(buffer, ds, enforce_file_format=True)
        return Deidentified(buffer.getvalue(), str(ds.SOPInstanceUID), changes)

    def _pseudonym(self, patient: str) -> str:
        number = int(derived_uid("patient", self._secret, patient).removeprefix("2.25."))
        return f"RC{number % 10**10:010d}"

    def _clean(self, ds: Dataset, changes: Changes, patient: str) -> None:
        for _, tag, vr in elements_of(ds):
            action = self._action(ds, tag, vr)
            if action is Action.CLEAN:
                for item in ds[tag].value or []:
                    self._clean(item, changes, patient)
                continue
            if action is Action.REMAP:
                ds[tag].value = self._mapped(ds[tag].value)
            elif action is Action.EMPTY:
                ds[tag].value = Sequence() if vr == "SQ" else None
            elif action is Action.REPLACE:
                self._replace(ds, tag, patient)
            elif action is Action.REMOVE:
                del ds[tag]
            elif self._tells(ds, tag, vr):
                del ds[tag]
                action = Action.SWEEP
            else:
                continue
            changes.add(tag, action)

    def _action(self, ds: Dataset, tag: BaseTag, vr: str) -> Action:
        action = action_for(tag)
        if action in (Action.KEEP, Action.CLEAN):
            if vr in REMOVED_VRS:
                return Action.REMOVE  # not what the dictionary says it is
            return Action.CLEAN if vr == "SQ" else Action.KEEP
        if action is Action.REMAP and not _values(ds[tag].value):
            return Action.KEEP
        return action

    def _mapped(self, value: object) -> list[str] | str:
        mapped = [v if _is_well_known(v) else self._new_uid(v) for v in map(str, _values(value))]
        return mapped[0] if len(mapped) == 1 else mapped

    def _replace(self, ds: Dataset, tag: BaseTag, patient: str) -> None:
        element = ds[tag]
        if element.keyword in ("PatientID", "PatientName"):
            element.value = patient
        elif element.keyword == "ROIName":
            # A name beyond the standard ones may be anybody's: the number tells ROIs apart too.
            invented = f"ROI_{ds.get('ROINumber', '')}"
            element.value = self._standard.spelled(str(element.value or "")) or invented
        else:
            element.value = _DUMMIES.get(element.VR, _DUMMY)

    def _tells(self, ds: Dataset, tag: BaseTag, vr: str) -> bool:
        if vr not in _SHORT_TEXTS or keyword_for_tag(tag) in _NEVER_SWEPT:
            return False
        if vr == "CS" and tag.group >= _FIRST_RT_GROUP:
            return False
        values = map(str, _values(ds[tag].value))
        return any(
            # A code string of three letters is a term, not somebody's name.
            self._identity.is_told_by(value, short_words=vr != "CS")
            for value in values
            if not (vr == "UI" and _is_well_known(value))
        )


@contextmanager
def _told_as_unreadable() -> Iterator[None]:
    try:
        yield
    except (CannotDeidentifyError, MemoryError):
        raise
    except Exception as error:
        # Values are parsed when they are looked at; a damaged one fails in a dozen ways.
        raise CannotDeidentifyError(
            f"The object cannot be read as a whole ({type(error).__name__}). Send it again."
        ) from error


def _values(value: object) -> list[object]:
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list | tuple | MultiValue) else [value]


def _is_well_known(uid: str) -> bool:
    return UID(uid).name != uid


def _require_possible(ds: Dataset) -> None:
    kind = UID(str(ds.get("SOPClassUID", "")))
    if kind not in DEIDENTIFIED_CLASSES:
        raise CannotDeidentifyError(
            f"{kind.name} is not de-identified; CT, RTSTRUCT, RTDOSE and RTPLAN are."
        )
    if str(ds.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        raise CannotDeidentifyError(
            "Burned In Annotation (0028,0301) is YES: the pixels may show who it is. Clean them "
            "with a tool for that."
        )
    for group in _OVERLAY_GROUPS:
        if (group, 0x0010) in ds and (group, 0x3000) not in ds:
            raise CannotDeidentifyError(
                "An overlay lies within the pixels (retired in PS3.3) and may show who it is. "
                "Clean them with a tool for that."
            )


def _declare(ds: Dataset) -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = PROFILE_CODE
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = PROFILE_NAME
    ds.DeidentificationMethodCodeSequence = [code]
    ds.LongitudinalTemporalInformationModified = "REMOVED"
