"""Who a data set is about, and whether a value tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

_PATIENT_NAMES = frozenset(
    map(Tag, ("PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName"))
)
_NUMBERS = frozenset(
    map(
        Tag,
        (
            "PatientID",
            "OtherPatientIDs",
            "IssuerOfPatientID",
            "MedicalRecordLocator",
            "AdmissionID",
            "AccessionNumber",
        ),
    )
)
_BIRTH_DATE = Tag("PatientBirthDate")
_DATE_FORMATS = ("%Y%m%d", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y")
# From this length on a part of a name or a number is looked for inside of words too.
_SURELY_MEANT = 4


class Identity:
    """Names, numbers and birth dates of an export's patients, and names of the people around."""

    def __init__(self) -> None:
        self._words: set[str] = set()

    def gather(self, ds: Dataset) -> None:
        """Remember whoever `ds` names, also in its sequences."""
        for item, tag, vr in elements_of(ds):
            if vr == "SQ":
                for below in item[tag].value or []:
                    self.gather(below)
            elif vr == "PN":
                # Of physicians and operators: initials and "Dr" would be found everywhere.
                shortest = 2 if tag in _PATIENT_NAMES else _SURELY_MEANT
                self._add_name(str(item[tag].value or ""), shortest)
            elif tag in _NUMBERS:
                for number in str(item[tag].value or "").split("\\"):
                    self._add_number(number)
            elif tag == _BIRTH_DATE:
                self._add_birth_date(str(item[tag].value or ""))

    def is_told_by(self, value: str, *, short_words: bool = True) -> bool:
        """Whether a text contains any of it; without `short_words` only what is long enough."""
        said = value.casefold()
        if any(word in said for word in self._words if len(word) >= _SURELY_MEANT):
            return True
        return short_words and not self._words.isdisjoint(re.findall(r"\w+", said))

    def _add_name(self, name: str, shortest: int) -> None:
        for part in re.findall(r"\w+", name.casefold()):
            if len(part) >= shortest or not part.isascii():
                self._words.add(part)

    def _add_number(self, number: str) -> None:
        bare = number.strip().casefold()
        if len(bare) > 1:
            self._words.add(bare)

    def _add_birth_date(self, date: str) -> None:
        try:
            day = datetime.strptime(date, "%Y%m%d")  # noqa: DTZ007 (a day, not a moment)
        except ValueError:
            return
        self._words.update(day.strftime(pattern) for pattern in _DATE_FORMATS)


def elements_of(ds: Dataset) -> Iterator[tuple[Dataset, BaseTag, str]]:
    """(data set, tag, VR) of each element; values that nobody asks for stay the bytes they are."""
    for tag in list(ds.keys()):
        yield ds, tag, _vr(ds.get_item(tag))


def _vr(element: DataElement | RawDataElement) -> str:
    known = dictionary_VR(element.tag) if dictionary_has_tag(element.tag) else "UN"
    # Implicit VR has none; what a sender did not know it may have marked UN (PS3.5 6.2.2).
    return known if element.VR in (None, "UN") else element.VR
