"""Bounds on what a socket may do to us before anybody is authenticated."""

from __future__ import annotations

import socket
from typing import Any

from pynetdicom import evt

# A PDU's length field goes up to 4 GiB and is read before it is checked; ours are far smaller.
LARGEST_PDU_BYTES = 1 << 20


def on_connection(event: evt.Event, stalled_after_s: float) -> None:
    """Refuse huge PDUs, end an association that stalls inside one, and send without delay."""
    transport = event.assoc.dul.socket
    if transport is None or transport.socket is None:
        return
    transport.socket.settimeout(stalled_after_s)
    transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    receive = transport.recv

    def bounded(length: int) -> Any:
        if length > LARGEST_PDU_BYTES:
            raise OSError(f"A PDU of {length} bytes is refused; ours have at most 128 KiB.")
        return receive(length)

    transport.recv = bounded  # type: ignore[method-assign, assignment]
