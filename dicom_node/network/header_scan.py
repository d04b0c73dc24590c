"""The few elements of a header, found by their place in the bytes: for the common case only.

A tenth of the cost of a general parser, which most instances do not need. Whatever is not as
plain as a CT usually is (sequences of undefined length, other character sets, big endian, several
values) is left to pydicom, with the same result.
"""

from __future__ import annotations

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
_TRANSFER_SYNTAX, _SOURCE_AE_TITLE = 0x00020010, 0x00020016


def data_set_offset(part10: bytes) -> int:
    """Where the data set begins, after preamble and file meta information (PS3.10 7.1)."""
    # (0002,0000) comes first, UL 4: the length of the rest of group 2.
    if part10[132:136] != b"\x02\x00\x00\x00":
        return 132
    return _DATA_SET_AT + int.from_bytes(part10[140:144], "little")


def scan(part10: bytes, wanted: Mapping[int, tuple[str, str]]) -> dict[str, str] | None:
    """Values of `wanted` (tag -> keyword, VR) that are there, padding and all; None if not plain.

    Every value is ASCII and single. Raises `UnreadableObjectError` where an element claims more
    bytes than there are.
    """
    implicit = _is_implicit(part10)
    if implicit is None:
        return None
    vrs = {tag: vr.encode() for tag, (_, vr) in wanted.items()}
    try:
        values = _elements(part10, data_set_offset(part10), vrs, implicit=implicit)
    except (struct.error, ValueError):
        return None
    found = {}
    for tag, value in values.items():
        if not value.isascii() or b"\\" in value or b"\x1b" in value:
            return None
        found[wanted[tag][0]] = value.decode("ascii")
    return found


def _elements(
    part10: bytes, start: int, wanted: Mapping[int, bytes], *, implicit: bool
) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    vr = b""
    last_wanted, last_tag, end = max(wanted), 0, len(part10)
    while start < end:
        if implicit:
            group, element, length = struct.unpack_from("<HHL", part10, start)
            start += 8
        else:
            group, element, vr, length = struct.unpack_from("<HH2sH", part10, start)
            start += 8
            if vr in _LONG_FORM:
                (length,) = struct.unpack_from("<L", part10, start)
                start += 4
            elif vr not in _SHORT_FORM:
                raise ValueError("No VR of the standard.")
        tag = group << 16 | element
        past = tag > last_wanted
        if tag <= last_tag or (length == _UNDEFINED and not past):
            raise ValueError("Not plain.")
        if start + length > end and length != _UNDEFINED:
            raise UnreadableObjectError(
                f"Element ({group:04X},{element:04X}) claims {length} bytes, {end - start} are "
                "there. Send the instance again, or export it anew."
            )
        if past:
            break
        if tag in wanted:
            if not implicit and vr != wanted[tag]:
                raise ValueError("Not the VR of the data dictionary.")
            found[tag] = part10[start : start + length]
        last_tag = tag
        start += length
    return found


def source_ae_title(part10: bytes) -> str:
    """Who sent the instance, as the file meta information says (0002,0016); else empty."""
    return _of_meta(part10, _SOURCE_AE_TITLE, b"AE").decode("ascii", "replace").strip()


def _of_meta(part10: bytes, tag: int, vr: bytes) -> bytes:
    end = min(data_set_offset(part10), len(part10))
    try:
        found = _elements(part10[:end], 132, {tag: vr}, implicit=False)
    except (struct.error, ValueError, UnreadableObjectError):
        return b""
    return found.get(tag, b"").rstrip(b"\0 ")


def _is_implicit(part10: bytes) -> bool | None:
    """Whether the data set is Implicit VR; None where it is not little endian or not known."""
    uid = _of_meta(part10, _TRANSFER_SYNTAX, b"UI")
    if uid == _IMPLICIT:
        return True
    if uid in {_EXPLICIT, _RLE} or uid.startswith(_ENCAPSULATED):
        return False
    return None
