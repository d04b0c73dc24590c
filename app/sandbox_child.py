"""The small process behind `app.sandbox`: a guardian and a confined reader for every task.

It reads nothing itself, so that whatever a file does to its reader ends with that reader. Answers
go over a socket of their own as lines of JSON: the reader's, then the guardian's.
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from app.reading_tasks import TASKS
from app.sandbox_limits import Limits, confine, die_with
from core.errors import RecontourError


def main() -> None:
    """Fork a guardian for every socket that comes over standard input, until it is closed."""
    # Ctrl+C goes to a whole terminal; when to end is for the process that asks to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # guardians need nobody to wait for them
    os.umask(0o077)
    gc.freeze()
    me = os.getpid()
    with socket.socket(fileno=os.dup(0)) as control:
        while True:
            _, handles, _, _ = socket.recv_fds(control, 1, 1)
            if not handles:
                return  # whoever asked is gone
            if os.fork() == 0:
                control.close()
                _guard(socket.socket(fileno=handles[0]), me)
            os.close(handles[0])


def _guard(asker: socket.socket, parent: int) -> NoReturn:
    """Run the task in a child, then say how that ended."""
    code = 1
    try:
        die_with(parent)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(0)
        with asker.makefile("rb") as stream:
            request = json.loads(stream.readline())
        me, at = os.getpid(), mmap.mmap(-1, 4)
        reader = os.fork()
        if reader == 0:
            _read(request, asker, at, me)
        _, status, used = os.wait4(reader, 0)
        number = int.from_bytes(at[:], "little")
        end = {
            "status": os.waitstatus_to_exitcode(status),
            "at": number - 1 if number else None,
            "peak_mb": used.ru_maxrss * 1024 // 1_000_000,
        }
        asker.sendall(b"\n" + json.dumps(end).encode() + b"\n")
        code = 0
    finally:
        os._exit(code)


def _read(request: dict[str, Any], asker: socket.socket, at: mmap.mmap, parent: int) -> NoReturn:
    """Do the task, confined; answer with its value or its error."""
    code = 1
    try:
        die_with(parent)
        # Decoders and warnings quote what they read, and logs leave the building.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        _note_what_is_opened(request["paths"], at)
        confine(Limits.from_json(request["limits"]))
        asker.sendall(json.dumps(_answer(request)).encode())
        code = 0
    finally:
        os._exit(code)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"value": TASKS[request["task"]](request["paths"], **request["arguments"])}
    except RecontourError as error:
        return {"kind": type(error).__name__, "message": str(error)}
    except OSError as error:
        if error.errno is not None:
            return {"errno": error.errno}
        return _broken(error)  # a library's own, not the system's
    except Exception as error:  # noqa: BLE001 (whatever a file does to its reader is told, not passed on)
        return _broken(error)


def _broken(error: Exception) -> dict[str, Any]:
    """The kind of an error that nobody expected, and the line that raised it; not its message."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return {"kind": type(error).__name__, "line": f"{Path(frame.filename).name}:{frame.lineno}"}


def _note_what_is_opened(paths: list[str], at: mmap.mmap) -> None:
    """Keep in `at` which of `paths` was opened last, counted from 1; it outlives the reader."""
    numbers = {path: number for number, path in enumerate(paths, start=1)}

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and (number := numbers.get(str(arguments[0]))):
            at[:] = number.to_bytes(4, "little")

    sys.addaudithook(on_event)


if __name__ == "__main__":
    main()
