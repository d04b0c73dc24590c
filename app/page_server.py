"""Waitress, which serves the review page, with TLS in its connections where there is a certificate.

Handshakes happen in waitress' own loop, byte by byte as they come: who stalls keeps nobody waiting
and no thread (docs/adr/0060-tls-of-the-page.md).
"""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
import time
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server

from app.page_certificate import PageCertificate
from core.review_config import PageTlsSettings
from review_ui import make_ready

MEGABYTE = 1 << 20
RECORD = 16384
"""Bytes that a TLS record holds at most: read so, nothing decrypted stays behind unseen."""
PLAIN_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"This address speaks https alone. Write https:// before it.\n"
)


class TlsChannel(HTTPChannel):
    """One connection that speaks TLS. OpenSSL lets one thread at a time at it; two write here."""

    socket: Any

    def __init__(
        self, context: ssl.SSLContext, server: BaseWSGIServer, sock: Any, *rest: Any, **more: Any
    ) -> None:
        self._one_at_a_time = threading.RLock()
        self._handshake_writes = False
        sock.setblocking(False)
        secured = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        super().__init__(server, secured, *rest, **more)
        # Tried again it must offer as much as before: an amount that only grows up to here.
        self.sendbuf_len = min(self.sendbuf_len, 4 * RECORD)

    def writable(self) -> bool:
        """Whether something waits to be sent, of ours or of a handshake."""
        return bool(super().writable()) or self._handshake_writes

    def handle_write(self) -> None:
        """Send what waits."""
        if self._handshake_writes:
            self._handshake_writes = False
            self.handle_read()
        if self.socket is not None and super().writable():
            super().handle_write()

    def handle_read(self) -> None:
        """Take a record, or a step of the handshake."""
        try:
            with self._one_at_a_time:
                data = self.socket.recv(RECORD)
        except ssl.SSLWantReadError:
            return
        except ssl.SSLWantWriteError:
            self._handshake_writes = True
            return
        except OSError as error:
            if getattr(error, "reason", None) == "HTTP_REQUEST":
                self._say_in_the_clear(PLAIN_ANSWER)
            self.handle_close()
            return
        if data:
            self.last_activity = time.time()
            self.received(data)
        else:
            self.handle_close()

    def send(self, data: bytes, do_close: bool = True) -> int:
        """How many bytes were taken; none where the other end must read first, or has gone."""
        try:
            with self._one_at_a_time:
                return int(self.socket.send(data)) if self.socket is not None else 0
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError:
            if do_close:
                self.handle_close()
            else:
                self.will_close = True
            return 0

    def close(self) -> None:
        """Say that no more comes, and hang up."""
        with self._one_at_a_time:
            if self.socket is not None:
                with contextlib.suppress(OSError, ValueError):
                    self.socket.unwrap()
            super().close()

    def _say_in_the_clear(self, words: bytes) -> None:
        with contextlib.suppress(OSError):
            os.read(self.socket.fileno(), MEGABYTE)  # what is left unread would take it back
            os.write(self.socket.fileno(), words)


def begin(
    app: Flask, *, host: str, port: int, threads: int, tls: PageTlsSettings | None = None
) -> tuple[Any, threading.Thread]:
    """Serve `app`: waitress' server, which keeps its thread and trigger untyped, and its thread.

    Raises `ConfigError` where the certificate cannot be used.
    """
    certificate = PageCertificate(tls) if tls and tls.certificate else None
    make_ready(app)
    connections: dict[int, Any] = {}
    create_server(
        app,
        map=connections,
        host=host,
        port=port,
        threads=threads,
        ident=None,
        url_scheme="https" if certificate else "http",
        # A CT waits in memory for the browser to take it, not in a temporary file, and only a part.
        outbuf_high_watermark=4 * MEGABYTE,
        outbuf_overflow=8 * MEGABYTE,
    )
    # A name may stand for several addresses, each with its own; any of them runs them all.
    listening = [one for one in connections.values() if isinstance(one, BaseWSGIServer)]
    if certificate:
        for one in listening:
            one.channel_class = _secured(certificate)
    server: Any = listening[0]
    thread = threading.Thread(target=server.run)
    thread.start()
    return server, thread


def _secured(certificate: PageCertificate) -> Any:
    def channel(server: BaseWSGIServer, sock: Any, *rest: Any, **more: Any) -> TlsChannel | None:
        try:
            return TlsChannel(certificate.context(), server, sock, *rest, **more)
        except OSError:  # gone before it was let in; the server listens on
            sock.close()
            return None

    return channel


def end(server: Any, thread: threading.Thread) -> None:
    """Finish what is being answered, hang up, and wait for the server's own thread."""
    server.task_dispatcher.shutdown()
    # Its sockets must be closed by its own thread, which may be waiting on them; that thread may
    # also be awake and faster than the trigger that wakes it.
    with contextlib.suppress(OSError):
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))  # noqa: SLF001
    thread.join(timeout=10)
