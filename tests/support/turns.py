"""A process that predicts: holds its turn until it is ended, and says when it has it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREDICTS = """
import sys, time
from pathlib import Path
from app.turns import going_first
with going_first(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


@contextmanager
def predicting(data_folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A worker that predicts while the block runs; closing its input lets it finish."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PREDICTS, str(data_folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "mine\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
