"""Sequence items as Implicit VR Little Endian bytes (PS3.5 7.1.3, 7.5), where there are many.

pydicom makes an object of every item, element and coordinate, and parses them again to write them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache

from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

_ITEM = Tag(0xFFFE, 0xE000)


def element(keyword: str, value: str | int) -> bytes:
    """One element of text or of a number, in ASCII."""
    return _padded(keyword, value, b" ")


def uid_element(keyword: str, uid: str) -> bytes:
    """One element that holds a UID."""
    return _padded(keyword, uid, b"\0")


def sequence_element(keyword: str, items: Iterable[bytes]) -> bytes:
    """One sequence; each item is the bytes of its elements in the order of their tags."""
    return _encoded(_tag(keyword), _joined(items))


def set_sequence(ds: Dataset, keyword: str, items: Iterable[bytes]) -> None:
    """Set a sequence of `ds`, which must be written in Implicit VR Little Endian."""
    tag, value = Tag(keyword), _joined(items)
    ds[tag] = RawDataElement(tag, "SQ", len(value), value, 0, True, True)
    write_as_it_is(ds)


def write_as_it_is(ds: Dataset) -> None:
    """Say that the bytes of `ds` and of what it holds need not be parsed to be written.

    Of `ds` and of whatever it lies in, once its character set is known.
    """
    told = ds.get("SpecificCharacterSet")
    ds.set_original_encoding(
        is_implicit_vr=True,
        is_little_endian=True,
        character_encoding=convert_encodings(told) if told else default_encoding,
    )


def _joined(items: Iterable[bytes]) -> bytes:
    return b"".join(_encoded(_ITEM, item) for item in items)


def _padded(keyword: str, value: str | int, padding: bytes) -> bytes:
    raw = str(value).encode("ascii", "replace")
    return _encoded(_tag(keyword), raw + padding * (len(raw) % 2))


@cache
def _tag(keyword: str) -> int:
    return Tag(keyword)


def _encoded(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value
