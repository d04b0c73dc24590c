"""The few elements of a header, found by their place in the bytes: for the common case only.

A tenth of the cost of a general parser, which most instances do not need. Whatever is not as
plain as a CT usually is (sequences of undefined length, other character sets, big endian, several
values) is left to pydicom, with the same result.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

from core.errors import UnreadableObjectError

_EXPLICIT, _IMPLICIT = b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2"
_ENCAPSULATED = b"1.2.840.10008.1.2.4."
_RLE = b"1.2.840.10008.1.2.5"
_DATA_SET_AT = 144
_LONG_FORM = frozenset(b"OB OW OF OD OL OV SQ UT UN UC UR UV SV".split())
_SHORT_FORM = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_UNDEFINED = 0xFFFFFFFF
# Neither a backslash, which parts values, nor anything that is not printed.
_PLAIN_TEXT, _PLAIN_UID = re.compile(rb"[ -\[\]-~]*\0?"), re.compile(rb"[0-9.]*\0?")
_PIXEL_DATA = 0x7FE00010
_TRANSFER_SYNTAX, _SOURCE_AE_TITLE, _LAST_OF_META = 0x00020010, 0x00020016, 0x0002FFFF


def data_set_offset(part10: bytes) -> int:
    """Where the data set begins, after preamble and file meta information (PS3.10 7.1)."""
    # (0002,0000) comes first, UL 4: the length of the rest of group 2.
    if part10[132:136] != b"\x02\x00\x00\x00":
        return 132
    return _DATA_SET_AT + int.from_bytes(part10[140:144], "little")


def scan(part10: bytes, wanted: Mapping[int, tuple[str, str]]) -> dict[str, str] | None:
    """Values of `wanted` (tag -> keyword, VR) that are there, padding and all; None if not plain.

    Every value is printable ASCII and single. Raises `UnreadableObjectError` where an element
    claims more bytes than there are.
    """
    vrs = {tag: vr.encode() for tag, (_, vr) in wanted.items()}
    try:
        start, implicit = _data_set_of(part10)
        values, start = _elements(part10, start, vrs, last=_PIXEL_DATA - 1, implicit=implicit)
        if start < len(part10):
            _require_pixels(part10, start, implicit=implicit)
    except (struct.error, ValueError):
        return None
    found = {}
    for tag, value in values.items():
        if not (_PLAIN_UID if vrs[tag] == b"UI" else _PLAIN_TEXT).fullmatch(value):
            return None
        found[wanted[tag][0]] = value.decode("ascii")
    return found


def source_ae_title(part10: bytes) -> str:
    """Who sent the instance, as the file meta information says (0002,0016); else empty."""
    try:
        meta, _ = _meta(part10)
    except (struct.error, ValueError, UnreadableObjectError):
        return ""
    return meta.get(_SOURCE_AE_TITLE, b"").decode("ascii", "replace").strip(" \0")


def _data_set_of(part10: bytes) -> tuple[int, bool]:
    """Where the data set begins, and whether it is Implicit VR."""
    meta, start = _meta(part10)
    if start != data_set_offset(part10):
        raise ValueError("The length of the file meta information is wrong.")
    syntax = meta.get(_TRANSFER_SYNTAX, b"").rstrip(b"\0 ")
    if syntax == _IMPLICIT:
        return start, True
    if syntax in {_EXPLICIT, _RLE} or syntax.startswith(_ENCAPSULATED):
        return start, False
    raise ValueError("Not little endian, or not known.")


def _meta(part10: bytes) -> tuple[dict[int, bytes], int]:
    wanted = {_TRANSFER_SYNTAX: b"UI", _SOURCE_AE_TITLE: b"AE"}
    return _elements(part10, 132, wanted, last=_LAST_OF_META, implicit=False)


def _elements(
    part10: bytes, start: int, wanted: Mapping[int, bytes], *, last: int, implicit: bool
) -> tuple[dict[int, bytes], int]:
    """The wanted elements up to the tag `last`, and where the first behind it begins."""
    found: dict[int, bytes] = {}
    last_tag = 0
    while start < len(part10):
        group, element = struct.unpack_from("<HH", part10, start)
        tag = group << 16 | element
        if tag <= last_tag:
            raise ValueError("Not in order.")
        if tag > last:
            break
        vr, at, length = _place(part10, start, implicit=implicit)
        if length == _UNDEFINED:
            raise ValueError("Of undefined length.")
        if tag in wanted:
            if not implicit and vr != wanted[tag]:
                raise ValueError("Not the VR of the data dictionary.")
            found[tag] = part10[at : at + length]
        last_tag, start = tag, at + length
    return found, start


def _require_pixels(part10: bytes, start: int, *, implicit: bool) -> None:
    group, element = struct.unpack_from("<HH", part10, start)
    if group << 16 | element != _PIXEL_DATA:
        raise ValueError("Something else behind the header.")
    _place(part10, start, implicit=implicit)  # whether they are all there


def _place(part10: bytes, start: int, *, implicit: bool) -> tuple[bytes, int, int]:
    """VR, place and length of the value of the element at `start` (PS3.5 7.1)."""
    if implicit:
        vr, (length,) = b"", struct.unpack_from("<L", part10, start + 4)
    else:
        vr, length = struct.unpack_from("<2sH", part10, start + 4)
    at = start + 8
    if vr in _LONG_FORM:
        (length,) = struct.unpack_from("<L", part10, at)
        at += 4
    elif vr not in _SHORT_FORM and not implicit:
        raise ValueError("No VR of the standard.")
    if at + length > len(part10) and length != _UNDEFINED:
        group, element = struct.unpack_from("<HH", part10, start)
        raise UnreadableObjectError(
            f"Element ({group:04X},{element:04X}) claims {length} bytes, {len(part10) - at} are "
            "there. Send the instance again, or export it anew."
        )
    return vr, at, length
