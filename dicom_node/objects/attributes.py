"""Attributes of a dataset as plain values; what is missing or odd is told in one sentence."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset

from core.errors import DamagedObjectError, UnreadableObjectError


def read_object(path: Path, *, pixels: bool = True, headless: bool = False) -> Dataset:
    """The dataset in the file at `path`; raises `DamagedObjectError` if it holds none.

    `headless` takes a bare dataset too, without preamble and meta information (PS3.10 7.1). A
    file that cannot be opened raises its `OSError`.
    """
    try:
        return dcmread(path, stop_before_pixels=not pixels, force=headless)
    except MemoryError:
        raise  # says nothing about the object: whoever asked may try again
    except Exception as error:
        if is_of_the_disk(error):
            raise
        # pydicom raises a dozen kinds for a damaged file, recursion among them.
        raise DamagedObjectError(
            f"{path.name} is not a DICOM file that can be read ({type(error).__name__}). "
            "Send the object again."
        ) from error


def is_of_the_disk(error: Exception) -> bool:
    """Whether `error` says that a file cannot be reached now, and nothing about what it holds."""
    # pydicom raises OSError for damaged data too, but without the system's error number.
    return isinstance(error, OSError) and error.errno is not None


def text(ds: Dataset, keyword: str) -> str:
    """The value as text, "" where it is absent or empty; several values joined as in the file."""
    value = _value(ds, keyword)
    if value is None:
        return ""
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return str(value).strip()
    # A person name can be iterated but is one value.
    return str(value).strip() if keyword.endswith("Name") else "\\".join(map(str, value))


def required_text(ds: Dataset, keyword: str) -> str:
    """The value as text; raises `UnreadableObjectError` where it is absent or empty."""
    found = text(ds, keyword)
    if not found:
        raise missing(ds, keyword)
    return found


def numbers(ds: Dataset, keyword: str, count: int | None = None) -> tuple[float, ...]:
    """The values as finite numbers, `count` of them; raises `UnreadableObjectError` otherwise."""
    value = _value(ds, keyword)
    if value is None or value == "":
        raise missing(ds, keyword)
    try:
        found = tuple(float(v) for v in (value if _is_many(value) else [value]))
    except (TypeError, ValueError) as error:
        raise UnreadableObjectError(f"{keyword} of {_kind(ds)} does not hold numbers.") from error
    if not all(map(math.isfinite, found)) or (count is not None and len(found) != count):
        wanted = "finite numbers" if count is None else f"{count} finite numbers"
        raise UnreadableObjectError(
            f"{keyword} of {_kind(ds)} holds {len(found)} values; expected {wanted}. "
            "Export the object again."
        )
    return found


def number(ds: Dataset, keyword: str) -> float:
    """The one value as a finite number; raises `UnreadableObjectError` otherwise."""
    return numbers(ds, keyword, 1)[0]


def optional_number(ds: Dataset, keyword: str) -> float | None:
    """The value as a number, None where it is absent or empty."""
    value = _value(ds, keyword)
    return None if value is None or value == "" else number(ds, keyword)


def items(ds: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence, none where it is absent."""
    value = _value(ds, keyword)
    return [item for item in value if isinstance(item, Dataset)] if _is_many(value) else []


def missing(ds: Dataset, keyword: str) -> UnreadableObjectError:
    """The error for an attribute that must be there."""
    return UnreadableObjectError(
        f"{_kind(ds)} has no {keyword}, which its IOD requires (PS3.3). Export the object again."
    )


def _value(ds: Dataset, keyword: str) -> Any:
    try:
        return ds.get(keyword)
    except Exception as error:
        # Values are parsed when they are first looked at; a damaged one fails in many ways.
        raise UnreadableObjectError(
            f"{keyword} cannot be read ({type(error).__name__}). Export the object again."
        ) from error


def _is_many(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes)


def _kind(ds: Dataset) -> str:
    return f"The {ds.get('Modality') or 'DICOM'} object"
