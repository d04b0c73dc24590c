"""C-FIND over what the node holds: identifiers checked, keys matched, answers made.

Study root, hierarchical (PS3.4 C.4.1, C.6.2). Attributes the node does not keep in its tables are
not returned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.multival import MultiValue

from core.errors import RecontourError
from core.query_store import Held, Level, QueryStore, Scope

# More unique keys than this in one identifier are refused: each becomes a parameter of a query.
MOST_KEYS = 10_000

_LEVELS = tuple(Level)
_UNIQUE = dict(
    zip(_LEVELS, ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), strict=True)
)
_Text = str | tuple[str, ...]


class IdentifierError(RecontourError):
    """An identifier breaks the rules of its information model (PS3.4 C.4)."""


@dataclass(frozen=True, slots=True)
class _Key:
    level: Level
    value: Callable[[Held], _Text]


def _header(name: str) -> Callable[[Held], _Text]:
    return lambda held: str(getattr(held.first.header, name))


KEYS: dict[str, _Key] = {
    "PatientName": _Key(Level.STUDY, _header("patient_name")),
    "PatientID": _Key(Level.STUDY, _header("patient_id")),
    "PatientBirthDate": _Key(Level.STUDY, _header("patient_birth_date")),
    "StudyInstanceUID": _Key(Level.STUDY, _header("study_instance_uid")),
    "StudyDate": _Key(Level.STUDY, _header("study_date")),
    "StudyTime": _Key(Level.STUDY, _header("study_time")),
    "StudyID": _Key(Level.STUDY, _header("study_id")),
    "AccessionNumber": _Key(Level.STUDY, _header("accession_number")),
    "StudyDescription": _Key(Level.STUDY, _header("study_description")),
    "ModalitiesInStudy": _Key(Level.STUDY, lambda held: held.modalities),
    "NumberOfStudyRelatedSeries": _Key(Level.STUDY, lambda held: str(held.study_series)),
    "NumberOfStudyRelatedInstances": _Key(Level.STUDY, lambda held: str(held.study_instances)),
    "SeriesInstanceUID": _Key(Level.SERIES, _header("series_instance_uid")),
    "SeriesNumber": _Key(Level.SERIES, _header("series_number")),
    "Modality": _Key(Level.SERIES, _header("modality")),
    "SeriesDescription": _Key(Level.SERIES, _header("series_description")),
    "ProtocolName": _Key(Level.SERIES, _header("protocol_name")),
    "BodyPartExamined": _Key(Level.SERIES, _header("body_part_examined")),
    "NumberOfSeriesRelatedInstances": _Key(Level.SERIES, lambda held: str(held.series_instances)),
    "SOPInstanceUID": _Key(Level.IMAGE, _header("sop_instance_uid")),
    "SOPClassUID": _Key(Level.IMAGE, _header("sop_class_uid")),
    "InstanceNumber": _Key(Level.IMAGE, _header("instance_number")),
}


def matches_of(
    identifier: Dataset, query: QueryStore, *, retrieve_ae_title: str
) -> Iterator[Dataset]:
    """One answer for each match of a C-FIND identifier; raises `IdentifierError` before the first.

    The keys of the levels above must be there, with one value each (PS3.4 C.4.1.2.1).
    """
    level = level_of(identifier)
    held = query.at_level(level, scope_of(identifier, level))
    asked = [k for k in KEYS if k in identifier and _is_at_or_above(KEYS[k].level, level)]
    # The unique keys have narrowed what was read.
    wanted = {k: _values(identifier, k) for k in asked if k not in _UNIQUE.values()}
    for one in held:
        if all(_matches(k, values, KEYS[k].value(one)) for k, values in wanted.items()):
            yield _answer(one, asked, level, retrieve_ae_title)


def level_of(identifier: Dataset) -> Level:
    """Query/Retrieve Level (0008,0052); raises `IdentifierError` for one of another model."""
    found = str(identifier.get("QueryRetrieveLevel") or "").strip()
    try:
        return Level(found)
    except ValueError:
        raise IdentifierError(
            "Query/Retrieve Level (0008,0052) must be STUDY, SERIES or IMAGE (PS3.4 C.6.2)."
        ) from None


def scope_of(identifier: Dataset, level: Level, *, complete: bool = False) -> Scope:
    """The unique keys of an identifier; raises `IdentifierError` for a missing or a stray one.

    `complete`: the key of `level` itself must be there too, as a retrieve asks (PS3.4 C.4.2.2.1).
    """
    depth = _LEVELS.index(level)
    uids: list[tuple[str, ...]] = []
    for number, (at, keyword) in enumerate(_UNIQUE.items()):
        found = tuple(uid for uid in _values(identifier, keyword) if uid != "*")
        if number > depth and found:
            raise IdentifierError(f"{keyword} is a key below the level {level}; leave it empty.")
        if number < depth and len(found) != 1:
            raise IdentifierError(f"At the level {level} one {keyword} is needed (PS3.4 C.4).")
        if at is level and complete and not found:
            raise IdentifierError(f"{keyword} is needed to retrieve at the level {level}.")
        if len(found) > MOST_KEYS:
            raise IdentifierError(f"More than {MOST_KEYS} values of {keyword}; ask in parts.")
        uids.append(found)
    return Scope(*uids)


def _is_at_or_above(key: Level, level: Level) -> bool:
    return _LEVELS.index(key) <= _LEVELS.index(level)


def _values(identifier: Dataset, keyword: str) -> tuple[str, ...]:
    found = identifier.get(keyword)
    if found is None:
        return ()
    several = found if isinstance(found, MultiValue | list | tuple) else [found]
    return tuple(text for text in (str(value).strip(" \0") for value in several) if text)


def _matches(keyword: str, wanted: tuple[str, ...], held: _Text) -> bool:
    """Matching by VR (PS3.4 C.2.2.2): range, list of UIDs, wildcard, single value, universal."""
    if not wanted or wanted == ("*",):
        return True
    matcher = _MATCHERS.get(dictionary_VR(keyword), _is_like)
    values = held if isinstance(held, tuple) else (held,)
    return any(matcher(one, value) for one in wanted for value in values)


def _is_like(wanted: str, held: str, flags: re.RegexFlag = re.NOFLAG) -> bool:
    parts = (re.escape(part).replace(r"\?", ".") for part in wanted.rstrip("^ ").split("*"))
    return re.fullmatch(".*".join(parts), held.rstrip("^ "), flags | re.DOTALL) is not None


def _is_like_name(wanted: str, held: str) -> bool:
    # Persons are found whatever the case, as the standard allows.
    return _is_like(wanted, held, re.IGNORECASE)


def _date_in(wanted: str, held: str) -> bool:
    return _in_range(wanted, held, width=8)


def _time_in(wanted: str, held: str) -> bool:
    return _in_range(wanted.replace(":", ""), held.replace(":", ""), width=6)


def _same_number(wanted: str, held: str) -> bool:
    return _as_number(wanted) == _as_number(held)


def _in_range(wanted: str, held: str, *, width: int) -> bool:
    """A point or a range of dates or times; what is not known is in no range."""
    if not held:
        return False
    value = held.ljust(width, "0")
    first, dash, last = wanted.partition("-")
    if not dash:
        return value.startswith(first)
    # A last point means all of it: 2026 ends with its last day, 10 with its last minute.
    return first.ljust(width, "0") <= value and (not last or value <= last.ljust(width, "9") + "~")


def _as_number(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


_MATCHERS: dict[str, Callable[[str, str], bool]] = {
    "UI": str.__eq__,
    "DA": _date_in,
    "TM": _time_in,
    "IS": _same_number,
    "PN": _is_like_name,
}


def _answer(held: Held, asked: list[str], level: Level, retrieve_ae_title: str) -> Dataset:
    ds = Dataset()
    above = [keyword for at, keyword in _UNIQUE.items() if _is_at_or_above(at, level)]
    texts = {keyword: KEYS[keyword].value(held) for keyword in (*asked, *above)}
    if not all("".join(text).isascii() for text in texts.values()):
        ds.SpecificCharacterSet = "ISO_IR 192"
    ds.QueryRetrieveLevel = str(level)
    ds.RetrieveAETitle = retrieve_ae_title
    for keyword, text in texts.items():
        if dictionary_VR(keyword) == "IS" and not isinstance(_as_number(str(text)), int):
            text = ""  # noqa: PLW2901 (what a sender wrote as a number need not be one)
        setattr(ds, keyword, list(text) if isinstance(text, tuple) else text)
    return ds
