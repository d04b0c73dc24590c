"""What every process of the node does first."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import structlog

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Let the kernel end this process when the supervisor dies, so that no orphan holds a port.

    Must run before heavy imports: a parent that dies during them would leave an orphan.
    """
    parent = os.environ.get("RECONTOUR_PARENT")
    if parent is None:
        return
    ctypes.CDLL("libc.so.6").prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before we asked
        sys.exit(1)


def stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop


def start_logging(role: str) -> None:
    """One JSON object a line on standard error: time, level, role, event. No patient identity.

    From here on the process writes files that only its own account may read.
    """
    os.umask(0o077)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(role=role)
    logging.basicConfig(
        level=logging.WARNING,
        format=f'{{"role": "{role}", "level": "%(levelname)s", "event": "%(name)s: %(message)s"}}',
    )


def config_path() -> Path:
    """The configuration a child process was started with."""
    return Path(sys.argv[1])
