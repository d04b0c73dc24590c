"""What waits for the one place of a queue."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.settings import REPOSITORY


def test_the_most_urgent_of_what_waits_runs_first(tmp_path: Path) -> None:
    """In a process of its own: there is one DBOS a process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.queue_order", str(tmp_path)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    # The first has no priority and goes before all others, whether it had begun or not.
    assert done.stdout.split() == ["first", "urgent", "normal", "low"], done.stderr[-3000:]
