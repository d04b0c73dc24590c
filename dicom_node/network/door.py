"""Who stands at the door: connections until their association request is there, then in or out.

Nothing of pynetdicom runs and no thread starts for somebody who has not sent a whole request
under an AE title and from an address that config.yaml lists.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger()

# From the connection to the last byte of the request, TLS handshake included (ARTIM, PS3.8 9.1.5).
LONGEST_REQUEST_S = 15.0
LARGEST_REQUEST_BYTES = 1 << 18
# Who waits longest goes when another comes: whoever has something to say says it at once.
MOST_WAITING = 64
MOST_WAITING_PER_ADDRESS = 16
# A receiver with more to do lets its neighbours on the same port be quicker.
COURTESY_S = 0.002
LONGEST_COURTESY_S = 0.03
BETWEEN_LOG_LINES_S = 10.0
AFTER_FAILURE_S = 0.1

_A_ASSOCIATE_RQ, _SMALLEST_REQUEST_BYTES = 1, 68


@dataclass(frozen=True)
class Request:
    """A connection whose A-ASSOCIATE-RQ is there (PS3.8 9.3.2)."""

    connected: socket.socket
    address: tuple[str, int]
    pdu: bytes

    @property
    def called_ae_title(self) -> str:
        """Whom it wants to speak with."""
        return self.pdu[10:26].decode("ascii", "replace").strip()

    @property
    def calling_ae_title(self) -> str:
        """Who it says it is."""
        return self.pdu[26:42].decode("ascii", "replace").strip()


@dataclass(frozen=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""

    result: int
    source: int
    reason: int

    def pdu(self) -> bytes:
        """The PDU (PS3.8 9.3.4)."""
        return struct.pack(">BBLBBBB", 3, 0, 4, 0, self.result, self.source, self.reason)


CALLING_AE_TITLE_NOT_RECOGNIZED = Rejection(1, 1, 3)
CALLED_AE_TITLE_NOT_RECOGNIZED = Rejection(1, 1, 7)
LOCAL_LIMIT_EXCEEDED = Rejection(2, 3, 2)


@dataclass
class _Waiting:
    connected: socket.socket
    address: tuple[str, int]
    until: float
    greeted: bool  # no TLS, or its handshake is done
    received: bytearray = field(default_factory=bytearray)

    def missing(self) -> int:
        """How many bytes of the request are not there; raises `ValueError` if it is none."""
        if len(self.received) < 6:
            return 6 - len(self.received)
        pdu_type, _, length = struct.unpack_from(">BBL", self.received)
        if pdu_type != _A_ASSOCIATE_RQ or not (
            _SMALLEST_REQUEST_BYTES <= length <= LARGEST_REQUEST_BYTES
        ):
            raise ValueError("Not an A-ASSOCIATE-RQ.")
        return 6 + int(length) - len(self.received)


class _Tally:
    """Writes down why callers were turned away; of many, one line in a while."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()
        self._not_before = 0.0

    def note(self, reason: str) -> None:
        self._reasons[reason] += 1
        now = time.monotonic()
        if now >= self._not_before:
            log.warning("association.turned_away", reasons=dict(self._reasons))
            self._reasons.clear()
            self._not_before = now + BETWEEN_LOG_LINES_S


class Door:
    """Accepts connections in a thread of its own until `close`.

    `decide` says why a request is rejected; None lets it in: then `admit` takes its connection.
    `busy` is how much this process has to do already, where others accept on the same port.
    """

    def __init__(
        self,
        listeners: Sequence[tuple[socket.socket, ssl.SSLContext | None]],
        *,
        decide: Callable[[Request], Rejection | None],
        admit: Callable[[Request], None],
        busy: Callable[[], int],
        longest_request_s: float = LONGEST_REQUEST_S,
    ) -> None:
        self._longest_request_s = longest_request_s
        self._decide, self._admit, self._busy = decide, admit, busy
        self._turned_away = _Tally()
        self._waiting: list[_Waiting] = []  # the one that waits longest first
        self._selector = selectors.DefaultSelector()
        for listener, context in listeners:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, context)
        self._listeners = listeners
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; who waits at the door is sent away."""
        self._closed.set()
        os.eventfd_write(self._bell, 1)
        self._thread.join()
        for waiting in list(self._waiting):
            self._send_away(waiting)
        self._selector.close()
        os.close(self._bell)

    def _run(self) -> None:
        while not self._closed.is_set():
            for key, _ in self._selector.select(self._patience_s()):
                try:
                    self._serve(key)
                except Exception as error:  # noqa: BLE001 (a closed door would be for everybody)
                    # No file descriptor, thread or memory is free, most likely.
                    log.warning("door.cannot_admit", kind=type(error).__name__)
                    self._give_up(key.data)
            now = time.monotonic()
            for waiting in [w for w in self._waiting if w.until <= now]:
                self._turned_away.note("no whole request in time")
                self._send_away(waiting)

    def _serve(self, key: selectors.SelectorKey) -> None:
        if isinstance(key.data, _Waiting):
            self._hear(key.data)
        elif key.fileobj != self._bell:
            self._open(key.fileobj, key.data)  # type: ignore[arg-type]

    def _give_up(self, on: object) -> None:
        if isinstance(on, _Waiting):
            self._send_away(on)
        else:
            time.sleep(AFTER_FAILURE_S)  # the next one is at the listener already

    def _patience_s(self) -> float | None:
        if not self._waiting:
            return None
        return max(0.0, self._waiting[0].until - time.monotonic())

    def _open(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        busy = self._busy()
        if busy:
            time.sleep(min(LONGEST_COURTESY_S, busy * COURTESY_S))
        try:
            connected, address = listener.accept()
        except BlockingIOError:
            return  # a neighbour was quicker
        self._make_room(address[0])
        connected.setblocking(False)
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                connected = context.wrap_socket(
                    connected, server_side=True, do_handshake_on_connect=False
                )
        except OSError:  # gone already
            connected.close()
            return
        until = time.monotonic() + self._longest_request_s
        waiting = _Waiting(connected, address[:2], until, greeted=context is None)
        self._waiting.append(waiting)
        self._selector.register(connected, selectors.EVENT_READ, waiting)

    def _make_room(self, address: str) -> None:
        same = [waiting for waiting in self._waiting if waiting.address[0] == address]
        if len(same) >= MOST_WAITING_PER_ADDRESS:
            self._send_away(same[0])
        elif len(self._waiting) >= MOST_WAITING:
            self._send_away(self._waiting[0])

    def _hear(self, waiting: _Waiting) -> None:
        if waiting not in self._waiting:
            return  # sent away a moment ago, to make room
        try:
            self._take_request(waiting)
        except (ssl.SSLWantReadError, BlockingIOError):
            self._selector.modify(waiting.connected, selectors.EVENT_READ, waiting)
        except ssl.SSLWantWriteError:
            self._selector.modify(waiting.connected, selectors.EVENT_WRITE, waiting)
        except (OSError, ValueError) as error:
            # An alert or an A-ABORT would help nobody: it is no DICOM caller that we know.
            self._turned_away.note(type(error).__name__)
            self._send_away(waiting)
        else:
            self._let_in_or_reject(waiting)

    def _take_request(self, waiting: _Waiting) -> None:
        if not waiting.greeted:
            waiting.connected.do_handshake()  # type: ignore[attr-defined]
            waiting.greeted = True
        while missing := waiting.missing():
            found = waiting.connected.recv(missing)
            if not found:
                raise ConnectionError("The caller closed the connection.")
            waiting.received += found

    def _let_in_or_reject(self, waiting: _Waiting) -> None:
        self._forget(waiting)
        request = Request(waiting.connected, waiting.address, bytes(waiting.received))
        rejection = self._decide(request)
        if rejection is None:
            self._admit(request)
            return
        self._turned_away.note(f"rejected, source {rejection.source}, reason {rejection.reason}")
        with contextlib.suppress(OSError):
            waiting.connected.send(rejection.pdu())
        waiting.connected.close()

    def _send_away(self, waiting: _Waiting) -> None:
        self._forget(waiting)
        waiting.connected.close()

    def _forget(self, waiting: _Waiting) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)
            self._selector.unregister(waiting.connected)
