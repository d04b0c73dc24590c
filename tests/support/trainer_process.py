"""The trainer as its own process, and as several under torchrun."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def running_trainer(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The trainer as the supervisor starts it, until the block ends; it logs to `trainer.log`."""
    with (config.parent / "trainer.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.trainer", str(config)],
            stdout=log,
            stderr=log,
            env={**os.environ, "RECONTOUR_PARENT": str(os.getpid())},
            start_new_session=True,  # as in tests/support/node.py
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()


def logged(config: Path, event: str) -> list[dict[str, Any]]:
    """What the trainers said of `event`, oldest first."""
    lines = (config.parent / "trainer.log").read_text().splitlines()
    said = [json.loads(line) for line in lines if line.startswith('{"')]
    return [each for each in said if each.get("event") == event]


def ranks_of(process: subprocess.Popen[bytes]) -> dict[int, int]:
    """Process ids of the trainers below torchrun, by rank."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    found = {}
    for pid in children:
        pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        values = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if "RANK" in values:
            found[int(values["RANK"])] = int(pid)
    return found


def kill(pid: int) -> None:
    """kill -9."""
    os.kill(pid, signal.SIGKILL)


def wait_until(what: Any, *, every_s: float = 0.1, timeout_s: float = 400.0) -> Any:
    """The first true answer of `what`; fails after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(every_s)
    raise AssertionError("it did not happen in time")
