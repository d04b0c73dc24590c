"""C-STORE without detours: the command read and the answer written here (PS3.7 9.3.1).

It is nine tenths of what the node receives. pynetdicom's way through data sets, primitives,
queues and a second thread costs more than keeping the instance durably.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dicom_node.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
NO_DATA_SET = 0x0101

_AFFECTED_SOP_CLASS_UID, _COMMAND_FIELD, _MESSAGE_ID = 0x0002, 0x0100, 0x0110
_MESSAGE_ID_BEING_RESPONDED_TO, _DATA_SET_TYPE, _STATUS = 0x0120, 0x0800, 0x0900
_AFFECTED_SOP_INSTANCE_UID = 0x1000
_LONGEST_UID_BYTES = 64


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """What a C-STORE-RQ says of the instance that follows."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str


def read_store_command(command_set: bytes) -> StoreCommand | None:
    """The command, if it is a C-STORE-RQ with all that is required; else None."""
    elements: dict[int, bytes] = {}
    start = 0
    while start < len(command_set):
        if start + 8 > len(command_set):
            return None
        group, element, length = struct.unpack_from("<HHL", command_set, start)
        value = command_set[start + 8 : start + 8 + length]
        if group != 0 or len(value) != length:
            return None
        elements[element] = value
        start += 8 + length
    if _us(elements, _COMMAND_FIELD) != C_STORE_RQ:
        return None
    if _us(elements, _DATA_SET_TYPE) in {NO_DATA_SET, None}:
        return None
    message_id = _us(elements, _MESSAGE_ID)
    sop_class = _uid(elements, _AFFECTED_SOP_CLASS_UID)
    sop_instance = _uid(elements, _AFFECTED_SOP_INSTANCE_UID)
    if message_id is None or sop_class is None or sop_instance is None:
        return None
    return StoreCommand(message_id, sop_class, sop_instance)


def store_answer(command: StoreCommand, status: int, *, context_id: int) -> bytes:
    """The C-STORE-RSP as one P-DATA-TF PDU (PS3.8 9.3.5)."""
    body = b"".join(
        (
            _element(_AFFECTED_SOP_CLASS_UID, _padded(command.sop_class_uid)),
            _element(_COMMAND_FIELD, struct.pack("<H", C_STORE_RSP)),
            _element(_MESSAGE_ID_BEING_RESPONDED_TO, struct.pack("<H", command.message_id)),
            _element(_DATA_SET_TYPE, struct.pack("<H", NO_DATA_SET)),
            _element(_STATUS, struct.pack("<H", status)),
            _element(_AFFECTED_SOP_INSTANCE_UID, _padded(command.sop_instance_uid)),
        )
    )
    command_set = _element(0, struct.pack("<L", len(body))) + body
    # Message control header: the last fragment of a command.
    pdv = struct.pack(">LBB", len(command_set) + 2, context_id, 3) + command_set
    return struct.pack(">BBL", 4, 0, len(pdv)) + pdv


def file_beginning(command: StoreCommand, transfer_syntax: str, calling_ae_title: str) -> bytes:
    """Preamble and file meta information (PS3.10 7.1) of the instance as a file of ours."""
    meta = b"".join(
        (
            struct.pack("<HH2sHL2s", 2, 0x0001, b"OB", 0, 2, b"\0\1"),
            _meta(0x0002, b"UI", _padded(command.sop_class_uid)),
            _meta(0x0003, b"UI", _padded(command.sop_instance_uid)),
            _meta(0x0010, b"UI", _padded(transfer_syntax)),
            _meta(0x0012, b"UI", _padded(IMPLEMENTATION_CLASS_UID)),
            _meta(0x0013, b"SH", _padded(IMPLEMENTATION_VERSION_NAME, b" ")),
            _meta(0x0016, b"AE", _padded(calling_ae_title, b" ")),
        )
    )
    return bytes(128) + b"DICM" + _meta(0x0000, b"UL", struct.pack("<L", len(meta))) + meta


def _us(elements: dict[int, bytes], element: int) -> int | None:
    value = elements.get(element, b"")
    return int.from_bytes(value, "little") if len(value) == 2 else None


def _uid(elements: dict[int, bytes], element: int) -> str | None:
    value = elements.get(element, b"").rstrip(b"\0 ")
    if not value or len(value) > _LONGEST_UID_BYTES or not value.isascii():
        return None
    return value.decode("ascii")


def _element(element: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0, element, len(value)) + value


def _meta(element: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def _padded(value: str, padding: bytes = b"\0") -> bytes:
    encoded = value.encode("ascii", "replace")
    return encoded + padding if len(encoded) % 2 else encoded
