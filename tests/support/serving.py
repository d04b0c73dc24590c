"""The review room behind its real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from app.page_server import begin, end
from core.review_config import PageTlsSettings


@contextmanager
def served(app: Flask, tls: PageTlsSettings | None = None) -> Iterator[str]:
    """The address of `app` while the block runs; with `tls` it is https."""
    server, thread = begin(app, host="127.0.0.1", port=0, threads=8, tls=tls)
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.effective_port}"
    finally:
        end(server, thread)
        assert not thread.is_alive()
