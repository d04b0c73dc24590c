"""Several receivers on one port: processes that share what one of them opened."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import structlog

from app.process import die_with_parent

log = structlog.get_logger()

FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S = 0.2, 15.0, 30.0


def run_receivers(count: int, receive: Callable[[], None], stop: threading.Event) -> None:
    """Run `receive` in `count` child processes until `stop` is set; start again what dies.

    The caller must hold no thread and no connection to the database: a child inherits both
    half. Children end with the parent.
    """
    started: dict[int, float] = {}
    pause_s = FIRST_PAUSE_S
    while not stop.is_set():
        while len(started) < count:
            started[_fork(receive)] = time.monotonic()
        pid, code = _ended(stop)
        if pid:
            pause_s = FIRST_PAUSE_S if time.monotonic() - started.pop(pid) > STEADY_S else pause_s
            log.warning("receiver.ended", pid=pid, code=code, restart_in_s=pause_s)
            stop.wait(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
    for pid in started:
        os.kill(pid, signal.SIGTERM)
    for pid in started:
        os.waitpid(pid, 0)


def _fork(receive: Callable[[], None]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.environ["RECONTOUR_PARENT"] = str(parent)
        die_with_parent()
        receive()
        code = 0
    except Exception:
        log.exception("receiver.failed")
    finally:
        os._exit(code)  # what was registered in the parent for its end is not ours


def _ended(stop: threading.Event) -> tuple[int, int]:
    """(process id, exit code) of a child that ended; zeros once `stop` is set."""
    while not stop.wait(0.1):
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            return pid, os.waitstatus_to_exitcode(status)
    return 0, 0
