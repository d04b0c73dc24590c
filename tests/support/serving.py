"""The review room behind its real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from app.review import begin, end


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The address of `app` while the block runs."""
    server, thread = begin(app, host="127.0.0.1", port=0, threads=8)
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        end(server, thread)
        assert not thread.is_alive()
