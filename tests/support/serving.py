"""The review room behind its real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from waitress.server import create_server

from app.review import end


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The address of `app` while the block runs."""
    server: Any = create_server(app, host="127.0.0.1", port=0, threads=8)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        end(server, thread)
        assert not thread.is_alive()
