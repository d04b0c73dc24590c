"""Instances that are wrong in a thousand ways, made cheaply and the same at every run.

Every mutation takes a whole data set as bytes. What is sent on the wire beside it (which SOP
Instance UID, in which presentation context) is part of the mutation.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tests.support.encodings import in_syntax
from tests.support.enhanced_ct import enhanced_ct
from tests.support.synthetic_dicom import ct_series, rtdose, rtplan, rtstruct

SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLosslessSV1,
)
SECRET = "FUZZSECRET"
"""The patient of every instance: what no log may name."""

_LONG_VRS = frozenset({b"OB", b"OW", b"OD", b"OF", b"OL", b"SQ", b"UC", b"UN", b"UR", b"UT"})
_VRS = (b"UI", b"SQ", b"DS", b"US", b"OW", b"UN", b"PN", b"AT", b"ZZ", b"\0\0", b"SV", b"FD")
_BAD_UIDS = (
    b"../../../../etc/evil",
    b"/etc/passwd",
    b"1.2.840.10008.1.2." + b"9" * 60,
    b"..",
    b"",
    b"   ",
    b"1.2.3\0../4",
    b"1..2",
    b"a.b.c",
    b"\xff\xfe\xfd",
    b"1.2.3\\1.2.4",
    b"1" * 1000,
)
_ITEM, _ITEM_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0"
_UNDEFINED = b"\xff\xff\xff\xff"


@dataclass(frozen=True, slots=True)
class Sent:
    """One instance on its way: what the command says, in which context, and the data set."""

    sop_class_uid: str
    transfer_syntax: UID
    command_uid: bytes
    data_set: bytes
    kind: str = "untouched"


@dataclass(frozen=True, slots=True)
class _Element:
    """Where one top-level element of an explicit little endian data set is."""

    start: int
    length_at: int
    length_size: int
    value: int
    end: int


def untouched(number: int, templates: Sequence[Sent]) -> Sent:
    """The template of this number, with a UID of its own."""
    template = templates[number % len(templates)]
    own = b"2.25.%020d" % (10**19 + number)
    return replace(
        template,
        command_uid=own,
        data_set=template.data_set.replace(template.command_uid, own),
    )


def mutated(seed: int, count: int) -> Iterator[Sent]:
    """`count` mutated instances, the same for the same seed."""
    rng, templates = random.Random(seed), make_templates()
    for number in range(count):
        whole = untouched(rng.randrange(10**9), templates)
        kind = list(MUTATIONS)[number % len(MUTATIONS)]
        yield replace(MUTATIONS[kind](whole, rng), kind=kind)


def make_templates() -> list[Sent]:
    """One instance of each kind a planning system sends, in several transfer syntaxes; small."""
    made: list[Sent] = []
    ct = ct_series(shape=(2, 16, 16), patient=SECRET)
    square = [[0.0, 0.0, 0.0], [5.0, 0.0, 0.0], [5.0, 5.0, 0.0]]
    plain = [
        ct[0],
        rtdose(lambda x, _y, _z: 2.0 + 0 * x, shape=(2, 16, 16), bits=16, ct=ct[0]),
        rtstruct(ct, {"Heart": [(square, str(ct[0].SOPInstanceUID))]}),
        rtplan(ct[0], structure_set_uid="1.2.3"),
    ]
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        made += [_template(ds, syntax) for ds in plain]
    made.append(_template(enhanced_ct(ct_series(shape=(2, 16, 16), patient=SECRET)), SYNTAXES[0]))
    for syntax in (RLELossless, JPEG2000Lossless, JPEGLSLossless):
        (one, _) = ct_series(shape=(2, 16, 16), patient=SECRET)
        made.append(_template(in_syntax(one, syntax), syntax))
    return made


def _template(ds: Dataset, syntax: UID) -> Sent:
    # A number of 20 digits: every instance can have its own without a length that changes.
    old, uid = str(ds.SOPInstanceUID), f"2.25.{10**19}"
    ds.SOPInstanceUID = UID(uid)
    buffer = BytesIO()
    implicit = syntax == ImplicitVRLittleEndian
    ds.file_meta.TransferSyntaxUID = syntax
    dcmwrite(buffer, ds, implicit_vr=implicit, little_endian=True, enforce_file_format=True)
    ds.SOPInstanceUID = UID(old)
    written = buffer.getvalue()
    meta = 144 + int.from_bytes(written[140:144], "little")
    return Sent(str(ds.SOPClassUID), syntax, uid.encode(), written[meta:])


# --- the mutations


def _bytes(whole: Sent, rng: random.Random) -> Sent:
    data = bytearray(whole.data_set)
    for _ in range(rng.choice((1, 1, 2, 5, 50))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return replace(whole, data_set=bytes(data))


def _cut(whole: Sent, rng: random.Random) -> Sent:
    return replace(whole, data_set=whole.data_set[: rng.randrange(len(whole.data_set))])


def _noise(whole: Sent, rng: random.Random) -> Sent:
    return replace(whole, data_set=rng.randbytes(rng.randrange(2000)))


def _inserted(whole: Sent, rng: random.Random) -> Sent:
    at, data = rng.randrange(len(whole.data_set)), whole.data_set
    return replace(whole, data_set=data[:at] + rng.randbytes(rng.randrange(1, 40)) + data[at:])


def _length(whole: Sent, rng: random.Random) -> Sent:
    lies = (0, 1, 3, 0xFFF0, 0xFFFFFFFF, 0xFFFFFFF0, 0x7FFFFFFF, rng.randrange(2**32))
    element, data = _one_of(whole, rng), bytearray(whole.data_set)
    size = element.length_size
    lie = rng.choice(lies) & (256**size - 1)
    data[element.length_at : element.length_at + size] = lie.to_bytes(size, "little")
    return replace(whole, data_set=bytes(data))


def _vr(whole: Sent, rng: random.Random) -> Sent:
    element, data = _one_of(whole, rng), bytearray(whole.data_set)
    data[element.start + 4 : element.start + 6] = rng.choice(_VRS)
    return replace(whole, data_set=bytes(data))


def _element(whole: Sent, rng: random.Random) -> Sent:
    element, data = _one_of(whole, rng), whole.data_set
    one, rest = data[element.start : element.end], data[: element.start] + data[element.end :]
    match rng.randrange(4):
        case 0:
            return replace(whole, data_set=rest)
        case 1:
            return replace(whole, data_set=data[: element.end] + one + data[element.end :])
        case 2:
            return replace(whole, data_set=one + rest)
        case _:
            return replace(whole, data_set=rest + one)


def _value(whole: Sent, rng: random.Random) -> Sent:
    """Another value of the same length: numbers, text and nonsense."""
    element, data = _one_of(whole, rng), bytearray(whole.data_set)
    size = element.end - element.value
    values = (
        b"\0",
        b"\xff",
        b"9",
        b"-",
        b"\\",
        b"1e308\\",
        b"nan\\",
        b"inf ",
        b"\xc3\x28",
        SECRET.encode(),
    )
    data[element.value : element.end] = (rng.choice(values) * (size + 1))[:size]
    return replace(whole, data_set=bytes(data))


def _uids(whole: Sent, rng: random.Random) -> Sent:
    """A bad UID in the data set; the command says the same, or what it was."""
    bad = rng.choice(_BAD_UIDS)
    bad += b"\0" * (len(bad) % 2)
    if rng.random() < 0.5:
        changed = _replaced(whole, b"\x08\x00\x18\x00", bad)
        return replace(changed, command_uid=bad) if rng.random() < 0.7 else changed
    tags = (b"\x20\x00\x0d\x00", b"\x20\x00\x0e\x00", b"\x08\x00\x16\x00", b"\x20\x00\x52\x00")
    return _replaced(whole, rng.choice(tags), bad)


def _nesting(whole: Sent, rng: random.Random) -> Sent:
    """Sequences within sequences, with and without an end, under tags that the node looks at."""
    tags = (b"\x06\x30\x10\x00", b"\x0c\x30\x02\x00", b"\x06\x30\x39\x00", b"\x07\x30\x11\x00")
    opened = rng.choice(tags) + b"SQ\0\0" + _UNDEFINED + _ITEM + _UNDEFINED
    closed = _ITEM_END + b"\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    levels = rng.choice((1, 10, 100, 250, 1000))
    ends = levels if rng.random() < 0.5 else rng.randrange(levels)
    nested = opened * levels + closed * ends
    at = rng.choice([0, len(whole.data_set)])
    return replace(whole, data_set=whole.data_set[:at] + nested + whole.data_set[at:])


def _syntax(whole: Sent, rng: random.Random) -> Sent:
    return replace(whole, transfer_syntax=rng.choice(SYNTAXES))


def _another_class(whole: Sent, rng: random.Random) -> Sent:
    """An object that comes in the presentation context of another kind."""
    classes = {t.sop_class_uid for t in _templates_once()}
    return replace(whole, sop_class_uid=rng.choice(sorted(classes)))


def _pixels(whole: Sent, rng: random.Random) -> Sent:
    """Rows, columns, frames and bits that do not fit the pixels."""
    tags = (b"\x28\x00\x10\x00", b"\x28\x00\x11\x00", b"\x28\x00\x00\x01", b"\x28\x00\x02\x01")
    lie = struct.pack("<H", rng.choice((0, 1, 7, 17, 32, 64, 4096, 65535)))
    changed = _replaced(whole, rng.choice(tags), lie)
    if rng.random() < 0.5:
        frames = str(rng.choice((0, -1, 3, 10**6, 10**11))).encode()
        changed = _replaced(changed, b"\x28\x00\x08\x00", frames + b" " * (len(frames) % 2))
    return changed


MUTATIONS: dict[str, Callable[[Sent, random.Random], Sent]] = {
    "bytes": _bytes,
    "cut": _cut,
    "noise": _noise,
    "inserted": _inserted,
    "length": _length,
    "vr": _vr,
    "element": _element,
    "value": _value,
    "uids": _uids,
    "nesting": _nesting,
    "syntax": _syntax,
    "class": _another_class,
    "pixels": _pixels,
}

_MADE: list[Sent] = []


def _templates_once() -> list[Sent]:
    if not _MADE:
        _MADE.extend(make_templates())
    return _MADE


def _one_of(whole: Sent, rng: random.Random) -> _Element:
    return rng.choice(_elements(whole))


def _elements(whole: Sent) -> list[_Element]:
    """The top-level elements, as far as they can be followed."""
    implicit = whole.transfer_syntax == ImplicitVRLittleEndian
    found, at, data = [], 0, whole.data_set
    while at + 8 <= len(data):
        vr = data[at + 4 : at + 6]
        length_at, size = (at + 6, 2) if not implicit and vr not in _LONG_VRS else (at + 8, 4)
        length_at -= 4 if implicit else 0
        length = int.from_bytes(data[length_at : length_at + size], "little")
        value = length_at + size
        end = min(value + length, len(data))
        found.append(_Element(at, length_at, size, value, end))
        at = end
    return found


def _replaced(whole: Sent, tag: bytes, value: bytes) -> Sent:
    """The data set with another value for a top-level element; as it was where there is none."""
    data = whole.data_set
    for element in _elements(whole):
        if data[element.start : element.start + 4] == tag:
            length = len(value).to_bytes(element.length_size, "little")
            new = data[element.start : element.length_at] + length + value
            return replace(whole, data_set=data[: element.start] + new + data[element.end :])
    return whole
