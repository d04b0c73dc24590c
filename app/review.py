"""The browser process."""

from __future__ import annotations

from app.process import config_path, die_with_parent, start_logging, stop_on_signal

if __name__ == "__main__":
    die_with_parent()

import contextlib
import threading
from typing import Any

import structlog
from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

from app.opening import opened_or_ended
from core.config import PeerSettings, load_settings
from dicom_node.network.scu import echo
from review_ui import create_app, make_ready

MEGABYTE = 1 << 20

log = structlog.get_logger()


def main() -> None:
    """Serve the review page until asked to stop."""
    start_logging("review")
    stop = stop_on_signal()
    settings = load_settings(config_path())
    dicom = settings.dicom

    def ask_peer(peer: PeerSettings) -> None:
        echo(peer, calling_ae_title=dicom.ae_title, tls=dicom.tls)

    app = create_app(settings, opened_or_ended(settings), ask_peer=ask_peer)
    review = settings.review
    server, thread = begin(app, host=review.host, port=review.port, threads=review.threads)
    log.info("review.serving", port=settings.review.port)
    stop.wait()
    end(server, thread)


def begin(app: Flask, *, host: str, port: int, threads: int) -> tuple[Any, threading.Thread]:
    """Serve `app`: waitress' server, which keeps its thread and trigger untyped, and its thread."""
    make_ready(app)
    server: Any = create_server(
        app,
        host=host,
        port=port,
        threads=threads,
        ident=None,
        # A CT waits in memory for the browser to take it, not in a temporary file, and only a part.
        outbuf_high_watermark=4 * MEGABYTE,
        outbuf_overflow=8 * MEGABYTE,
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    return server, thread


def end(server: Any, thread: threading.Thread) -> None:
    """Finish what is being answered, hang up, and wait for the server's own thread."""
    server.task_dispatcher.shutdown()
    # Its sockets must be closed by its own thread, which may be waiting on them; that thread may
    # also be awake and faster than the trigger that wakes it.
    with contextlib.suppress(OSError):
        server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map))  # noqa: SLF001
    thread.join(timeout=10)


if __name__ == "__main__":
    main()
