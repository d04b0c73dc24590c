"""An SCU that sends exactly the bytes it is given: what no library would send."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
ACCEPT, P_DATA, RELEASE_REPLY, ABORT = 2, 4, 6, 7
LONGEST_PDV = 16_000
Context = tuple[str, str]
"""SOP class and transfer syntax."""


class RefusedError(Exception):
    """The peer did not accept, or ended the association."""


class RawAssociation:
    """An association by its bytes. `ids` holds the accepted presentation contexts."""

    def __init__(
        self, port: int, contexts: Sequence[Context], *, calling: str = "TPS", timeout_s: float = 60
    ) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        numbers = {2 * n + 1: context for n, context in enumerate(contexts)}
        self.socket.sendall(associate_request(numbers, calling=calling))
        kind, body = self.receive()
        if kind != ACCEPT:
            self.socket.close()
            raise RefusedError(f"PDU type {kind}")
        self.ids = {numbers[n]: n for n in _accepted(body) if n in numbers}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def receive(self) -> tuple[int, bytes]:
        """The next PDU: its type and body. Raises `RefusedError` where the peer is gone."""
        try:
            header = self._exactly(6)
            return header[0], self._exactly(int.from_bytes(header[2:6], "big"))
        except ConnectionError as error:
            raise RefusedError(str(error)) from error

    def send_message(self, context_id: int, command: bytes, data_set: bytes | None) -> None:
        """A command and its data set, each in fragments of a usual size."""
        parts = [pdv(context_id, command, command=True, last=True)]
        for at in range(0, len(data_set or b""), LONGEST_PDV):
            piece = (data_set or b"")[at : at + LONGEST_PDV]
            last = at + LONGEST_PDV >= len(data_set or b"")
            parts.append(pdv(context_id, piece, command=False, last=last))
        if data_set == b"":
            parts.append(pdv(context_id, b"", command=False, last=True))
        self.socket.sendall(b"".join(pdu(P_DATA, part) for part in parts))

    def status(self) -> int:
        """The status in the next answer. Raises `RefusedError` where the association was ended."""
        kind, body = self.receive()
        if kind != P_DATA:
            raise RefusedError(f"PDU type {kind}")
        at = 6  # after the length, context and header of the one PDV
        while at + 8 <= len(body):
            number, length = struct.unpack("<2xHI", body[at : at + 8])
            if number == 0x0900:
                return int.from_bytes(body[at + 8 : at + 10], "little")
            at += 8 + length
        raise RefusedError("an answer without a status")

    def release(self) -> None:
        """End in good order."""
        self.socket.sendall(pdu(5, bytes(4)))
        self.receive()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("the peer closed the connection")
            data += part
        return data


def pdu(kind: int, body: bytes) -> bytes:
    """A PDU with its length (PS3.8 9.3)."""
    return struct.pack(">BBI", kind, 0, len(body)) + body


def pdv(context_id: int, data: bytes, *, command: bool, last: bool) -> bytes:
    """A presentation data value item (PS3.8 9.3.5.1)."""
    return struct.pack(">IBB", len(data) + 2, context_id, command | last << 1) + data


def associate_request(
    contexts: Mapping[int, Context], *, calling: str = "TPS", called: str = "RECONTOUR"
) -> bytes:
    """An A-ASSOCIATE-RQ that asks for `contexts` (PS3.8 9.3.2)."""
    body = struct.pack(">HH16s16s32x", 1, 0, called.ljust(16).encode(), calling.ljust(16).encode())
    body += _item(0x10, APPLICATION_CONTEXT)
    for number, (sop_class, syntax) in contexts.items():
        asked = _item(0x30, sop_class.encode()) + _item(0x40, syntax.encode())
        body += _item(0x20, bytes([number, 0, 0, 0]) + asked)
    user = _item(0x51, struct.pack(">I", 131072)) + _item(0x52, b"2.25.1234567")
    return pdu(1, body + _item(0x50, user))


def store_command(
    sop_class_uid: bytes, sop_instance_uid: bytes, *, message_id: int = 1, data_set: int = 1
) -> bytes:
    """A C-STORE-RQ command set (PS3.7 9.3.1.1)."""
    elements = [
        _element(0x0002, _even(sop_class_uid)),
        _element(0x0100, struct.pack("<H", 0x0001)),
        _element(0x0110, struct.pack("<H", message_id & 0xFFFF)),
        _element(0x0700, struct.pack("<H", 0)),
        _element(0x0800, struct.pack("<H", data_set)),
        _element(0x1000, _even(sop_instance_uid)),
    ]
    body = b"".join(elements)
    return _element(0, struct.pack("<I", len(body))) + body


def _accepted(body: bytes) -> list[int]:
    found, at = [], 68
    while at + 4 <= len(body):
        kind, length = body[at], int.from_bytes(body[at + 2 : at + 4], "big")
        if kind == 0x21 and body[at + 6] == 0:
            found.append(body[at + 4])
        at += 4 + length
    return found


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, number, len(value)) + value


def _even(value: bytes) -> bytes:
    return value + b"\0" * (len(value) % 2)
