"""A disk of a few megabytes that can be filled, as a test's own mount."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class SmallDisk:
    """A mounted folder; what fills it is one file beside what the test keeps there."""

    folder: Path

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self, *, leave_mb: float = 0.0) -> None:
        """Leave no more than `leave_mb` free; 0: not a byte."""
        with self._ballast.open("ab") as file:
            more = shutil.disk_usage(self.folder).free - int(leave_mb * 1e6)
            if more > 0:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), more)

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, *, size_mb: int) -> Iterator[SmallDisk]:
    """A disk of `size_mb` at `folder`; the test is skipped where nobody may mount one."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size_mb * 1_000_000}"]
    mounted = subprocess.run(
        ["mount", *options, "none", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("A disk of its own may not be mounted here.")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
