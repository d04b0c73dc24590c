"""What every process of the node does first."""

from __future__ import annotations

import ctypes
import json
import logging
import math
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from core.config import Settings

_PR_SET_PDEATHSIG = 1
_RESTARTS = 3
_QUOTE_WHAT_THEY_READ = frozenset({"pydicom", "pynetdicom"})


def die_with_parent() -> None:
    """Let the kernel end this process when the supervisor dies, so that no orphan holds a port.

    Must run before heavy imports: a parent that dies during them would leave an orphan. To the
    kernel the parent is the thread that started it: one that ends before its process takes it
    along.
    """
    parent = os.environ.get("RECONTOUR_PARENT")
    if parent is None:
        return
    ctypes.CDLL("libc.so.6").prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before we asked
        sys.exit(1)


def give_way(nice: int) -> None:
    """Let the page be answered first where the processor is short of time: a person waits for it.

    `nice` as the system counts it (0 to 19). Whoever was started with more keeps that.
    """
    here = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(nice, here))


def become_torchrun(settings: Settings, module: str) -> None:
    """Become torchrun with as many processes of `module` as the settings ask for; one: return.

    It stays the same process for the supervisor, and dies with it as before. Must run before heavy
    imports: torchrun makes its own. Within torchrun it returns.
    """
    count = settings.training.processes
    if count == 1 or "WORLD_SIZE" in os.environ:
        return
    os.environ["RECONTOUR_PARENT"] = str(os.getpid())
    os.environ.setdefault("OMP_NUM_THREADS", str(settings.model.threads))
    run = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    # Said, because not every machine can resolve its own name.
    run += ["--local-addr=127.0.0.1", f"--max-restarts={_RESTARTS}", "-m", module]
    os.execv(sys.executable, [sys.executable, *run, str(config_path())])  # noqa: S606 (no shell)


class _Asked(threading.Event):
    """An event that a signal handler may set at any moment.

    The handler runs in the main thread, which may itself be waiting: with a lock, as that of
    `threading.Event`, it could wait for itself. And the kernel may give the signal to a thread
    other than the one that waits: so a wait looks up several times a second.
    """

    _LOOKS_UP_EVERY_S = 0.2

    def __init__(self) -> None:
        super().__init__()
        self._asked = False

    def set(self) -> None:
        self._asked = True

    def is_set(self) -> bool:
        return self._asked

    def wait(self, timeout: float | None = None) -> bool:
        end = math.inf if timeout is None else time.monotonic() + timeout
        while not self._asked and (left_s := end - time.monotonic()) > 0:
            time.sleep(min(left_s, self._LOOKS_UP_EVERY_S))
        return self._asked


def stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = _Asked()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop


def start_logging(role: str) -> None:
    """One JSON object a line on standard error: time, level, role, event. No patient identity.

    Of messages of the DICOM libraries, of Python's warnings and of threads that died, only the
    kind and the line of code are told: they quote what was read, which may be a patient's name.
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
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine(role))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    threading.excepthook = _on_thread_death
    warnings.showwarning = _show_warning  # type: ignore[assignment]


class _OneLine(logging.Formatter):
    """Messages of libraries in the form of our own."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        kind = record.exc_info[0] if record.exc_info else None
        told = {
            "role": self._role,
            "level": record.levelname.lower(),
            "event": record.name,
            "at": f"{record.module}:{record.lineno}",
            "kind": kind.__name__ if kind else None,
        }
        if record.name.partition(".")[0] not in _QUOTE_WHAT_THEY_READ:
            told["message"] = super().format(record)
        return json.dumps({name: value for name, value in told.items() if value is not None})


def _on_thread_death(ended: threading.ExceptHookArgs) -> None:
    """A peer that breaks the protocol ends the thread of its own association, and nothing else."""
    place = traceback.extract_tb(ended.exc_traceback)[-1]
    structlog.get_logger().error(
        "thread.ended",
        kind=ended.exc_type.__name__,
        at=f"{Path(place.filename).stem}:{place.lineno}",
    )


def _show_warning(
    _message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    *_where: object,
) -> None:
    structlog.get_logger().warning(
        "python.warning", kind=category.__name__, at=f"{Path(filename).stem}:{lineno}"
    )


def config_path() -> Path:
    """The configuration a child process was started with."""
    return Path(sys.argv[1])
