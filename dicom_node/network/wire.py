"""The transport of an association that was let in: read ahead, and never waited for too long."""

from __future__ import annotations

import contextlib
import os
import queue
import select
import socket
import ssl
import threading
import time
from typing import Any

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

READ_AHEAD_BYTES = 256 * 1024
# How long the reactor sleeps at most before it looks at its timers; bytes and answers wake it.
LONGEST_SLEEP_MS = 50


class Wire(AssociationSocket):
    """What pynetdicom reads from and writes to.

    A PDU must be there whole within `longest_pdu_s` of its first byte, however slowly its bytes
    drip, or reading raises `TimeoutError`. `ready` sleeps until there is something to do, in
    place of looking a thousand times a second.
    """

    def __init__(
        self,
        association: Association,
        connected: socket.socket,
        *,
        first_pdu: bytes,
        longest_pdu_s: float,
    ) -> None:
        super().__init__(association, client_socket=connected)
        self._longest_pdu_s = longest_pdu_s
        self._deadline: float | None = None
        connected.settimeout(longest_pdu_s)  # also bounds a peer that does not read
        self._hurries = False
        self._buffer = bytearray(max(READ_AHEAD_BYTES, len(first_pdu)))
        self._buffer[: len(first_pdu)] = first_pdu
        self._start, self._end = 0, len(first_pdu)
        self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._waker_lock = threading.Lock()
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)
        self._poll.register(self._waker, select.POLLIN)

    @property
    def ready(self) -> bool:
        """Whether something can be read; sleeps up to 50 ms for it or for `wake`."""
        connected = self.socket
        if connected is None or not self._is_connected:
            return False
        if self._end > self._start or (
            isinstance(connected, ssl.SSLSocket) and connected.pending()
        ):
            return True
        try:
            found = [number for number, _ in self._poll.poll(LONGEST_SLEEP_MS)]
            if self._waker in found:
                os.eventfd_read(self._waker)
            return connected.fileno() in found
        except (OSError, ValueError):
            self.event_queue.put("Evt17")  # transport connection closed (PS3.8 Table 9-10)
            return False

    def wake(self) -> None:
        """Let `ready` return: there is something to send."""
        with self._waker_lock:  # its number may be another's as soon as it is closed
            if self._waker >= 0:
                os.eventfd_write(self._waker, 1)

    def peek(self, count: int) -> memoryview:
        """The next `count` bytes, waited for, left where they are.

        Raises `OSError` when the peer closed or took too long.
        """
        if self._deadline is None:
            self._deadline = time.monotonic() + self._longest_pdu_s
        self._make_room(count)
        while self._end - self._start < count:
            self._read_more(self._deadline)
        return memoryview(self._buffer)[self._start : self._start + count]

    def skip(self, count: int) -> None:
        """Leave behind what was peeked: the end of a PDU."""
        self._start += count
        self._end_of_pdu()

    def recv(self, nr_bytes: int) -> bytearray:
        """As in pynetdicom; the end of a PDU's body ends its time."""
        found = bytearray(self.peek(nr_bytes))
        self._start += nr_bytes
        if nr_bytes != _HEADER_BYTES:
            self._end_of_pdu()
        return found

    def _end_of_pdu(self) -> None:
        self._deadline = None
        if self._hurries and self.socket is not None:
            self.socket.settimeout(self._longest_pdu_s)
            self._hurries = False

    def release(self) -> None:
        """Give back what the association held, after both its threads have ended."""
        self._shutdown_socket()
        with self._waker_lock:
            os.close(self._waker)
            self._waker = -1

    def _shutdown_socket(self) -> None:
        """Shut down and close; pynetdicom leaves open what the peer has left already."""
        connected = self.socket
        if connected is None:
            return
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)
        connected.close()

    def _make_room(self, count: int) -> None:
        if self._start + count <= len(self._buffer):
            return
        rest = self._buffer[self._start : self._end]
        if count > len(self._buffer):
            self._buffer = bytearray(count)
        self._buffer[: len(rest)] = rest
        self._start, self._end = 0, len(rest)

    def _read_more(self, deadline: float) -> None:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or self.socket is None:
            raise TimeoutError("The PDU did not come in time.")
        if left_s < self._longest_pdu_s / 2:  # each change costs a system call
            self.socket.settimeout(left_s)
            self._hurries = True
        with memoryview(self._buffer) as view:
            count = self.socket.recv_into(view[self._end :])
        if count == 0:
            raise ConnectionError("The peer closed the connection.")
        self._end += count


class WakingQueue(queue.Queue[Any]):
    """What is to be sent; whoever puts something there wakes who sends it."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """As any queue's."""
        super().put(item, block, timeout)
        self._wire.wake()


_HEADER_BYTES = 6
