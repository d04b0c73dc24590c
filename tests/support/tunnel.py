"""TLS for programs that speak none, as clinics do it with a tunnel in front of them."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.certificates import Certificate

_HOST = "127.0.0.1"


@contextmanager
def tls_tunnel(certificate: Certificate, to_port: int, *, callers_speak_tls: bool) -> Iterator[int]:
    """The port of a tunnel to `to_port`: one end of it speaks TLS, the other does not."""
    tunnel = _Tunnel(certificate, to_port, callers_speak_tls=callers_speak_tls)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(tunnel.open(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(tunnel.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Tunnel:
    def __init__(self, certificate: Certificate, to_port: int, *, callers_speak_tls: bool) -> None:
        self._to_port = to_port
        self._near = _context(ssl.PROTOCOL_TLS_SERVER, certificate) if callers_speak_tls else None
        self._far = None if callers_speak_tls else _context(ssl.PROTOCOL_TLS_CLIENT, certificate)
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._pipe, _HOST, 0, ssl=self._near)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        # A connection that was accepted just now becomes a task only while others end.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0)  # what ended asks the loop once more to close its socket

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            far = await asyncio.open_connection(_HOST, self._to_port, ssl=self._far)
            ends.append(far[1])
            await asyncio.gather(_copy(reader, far[1]), _copy(far[0], writer))
        except OSError:
            pass  # nobody listens there: the caller is hung up on
        finally:
            for end in ends:
                await _hang_up(end)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError):
            while some := await source.read(65536):
                sink.write(some)
                await sink.drain()
    finally:
        sink.close()


async def _hang_up(end: asyncio.StreamWriter) -> None:
    try:
        end.close()
        with contextlib.suppress(OSError):
            await end.wait_closed()
    finally:
        end.transport.abort()  # where the other side keeps TLS from ending


def _context(protocol: int, certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.load_cert_chain(certificate.certificate, certificate.private_key)
    context.load_verify_locations(certificate.authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
