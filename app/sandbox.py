"""Reading what came from outside, in a process of its own with limits."""

from __future__ import annotations

import atexit
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from app.sandbox_limits import Limits, limits_for
from core import errors
from core.errors import DamagedObjectError, RecontourError

log = structlog.get_logger()

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
# The child's own alarm comes first; this is for a child that does not hear it.
_GRACE_S = 10.0
_REMEDY = "It was set aside; export it again, or look at it on the quarantine page."


class Sandbox:
    """Runs tasks of `app.reading_tasks`, each in a fork of a small process that stays.

    The small process is started with the first task, and again when it has died. It holds no
    database and no network, and it ends with this process, however that ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def run(
        self,
        task: str,
        paths: Sequence[Path],
        *,
        limits: Limits | None = None,
        **arguments: Any,
    ) -> Any:
        """What `task` makes of the files in `paths`.

        Raises the task's own `RecontourError`; `DamagedObjectError`, with the path of the file it
        was at, where a file breaks its reader or the limits; and `OSError` where the disk or the
        system failed, so that whoever asked may try again.
        """
        limits = limits or limits_for(paths)
        request = {
            "task": task,
            "paths": [str(path) for path in paths],
            "limits": limits.to_json(),
            "arguments": arguments,
        }
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._hand_over(theirs)
            ours.settimeout(limits.wall_s + _GRACE_S)
            lines = _talk(ours, json.dumps(request).encode() + b"\n")
        return _outcome(lines, paths, limits)

    def close(self) -> None:
        """End the small process."""
        with self._lock:
            self._end()

    def process_id(self) -> int | None:
        """Process id of the small process, where there is one."""
        return None if self._process is None else self._process.pid

    def _hand_over(self, theirs: socket.socket) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            assert self._control is not None
            try:
                socket.send_fds(self._control, [b"t"], [theirs.fileno()])
            except BrokenPipeError:
                self._start()
                socket.send_fds(self._control, [b"t"], [theirs.fileno()])

    def _start(self) -> None:
        self._end()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.sandbox_child"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=_without_settings(os.environ) | _ONE_THREAD,
            )
        self._control = ours
        log.info("sandbox.started", pid=self._process.pid)

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()  # it ends when nobody can ask it any more
        if self._process is not None:
            self._process.wait()
        self._control = self._process = None


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """A reader needs none of them, and a database's URL may carry its password."""
    return {k: v for k, v in environment.items() if not k.startswith("RECONTOUR_")}


@cache
def sandbox() -> Sandbox:
    """The sandbox of this process."""
    made = Sandbox()
    atexit.register(made.close)
    return made


def _talk(ours: socket.socket, request: bytes) -> list[bytes]:
    """Send the request; the lines of the answer, empty where there is none."""
    answer = bytearray()
    try:
        ours.sendall(request)
        while part := ours.recv(1 << 16):
            answer += part
    except (BrokenPipeError, ConnectionResetError):
        return []
    except TimeoutError as error:
        raise OSError(errno.ETIMEDOUT, "The reading process does not answer") from error
    return bytes(answer).splitlines()


def _outcome(lines: Sequence[bytes], paths: Sequence[Path], limits: Limits) -> Any:
    end = json.loads(lines[-1]) if lines else {}
    if "status" not in end:
        raise OSError(errno.ECHILD, "The reading process was ended from outside")
    answer = json.loads(lines[0]) if len(lines) > 1 and end["status"] == 0 else {}
    if "value" in answer:
        return answer["value"]
    if "errno" in answer:
        raise OSError(answer["errno"], os.strerror(answer["errno"]))
    at = paths[end["at"]] if end["at"] is not None else None
    log.warning(
        "sandbox.refused",
        file=at and at.name,
        status=end["status"],
        kind=answer.get("kind"),
        line=answer.get("line"),
        peak_mb=end["peak_mb"],
    )
    raise _error(answer, end["status"], at, limits)


def _error(answer: dict[str, Any], status: int, at: Path | None, limits: Limits) -> RecontourError:
    kind = getattr(errors, answer.get("kind", ""), None)
    if isinstance(kind, type) and issubclass(kind, RecontourError):
        error = kind(answer["message"])
    else:
        error = DamagedObjectError(_sentence(answer.get("kind"), status, limits))
    if isinstance(error, DamagedObjectError):
        error.path = at
    return error


def _sentence(kind: str | None, status: int, limits: Limits) -> str:
    if kind == "MemoryError" or -status == signal.SIGKILL:
        found = f"asked for more than the {limits.memory_mb} MB of memory that reading may take"
    elif -status == signal.SIGXCPU:
        found = f"took more than the {limits.cpu_s} s of processor time that reading may take"
    elif -status == signal.SIGALRM:
        found = f"took more than the {limits.wall_s} s that reading may take"
    elif -status == signal.SIGXFSZ:
        found = f"wrote more than the {limits.file_mb} MB that reading may write"
    elif kind is not None:
        found = f"broke its reader ({kind})"
    elif status < 0:
        found = f"ended its decoder ({signal.Signals(-status).name})"
    else:
        found = f"ended its reader (exit code {status})"
    return f"An object {found}. {_REMEDY}"
