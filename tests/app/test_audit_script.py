"""make audit never passes where nobody could be asked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "audit"
UNKNOWN = "flask  Dependency not found on PyPI and could not be audited: flask (3.1.2)"


@pytest.mark.parametrize(
    ("said", "ended", "code"),
    [
        ("No known vulnerabilities found", 0, 0),
        ("Found 2 known vulnerabilities in 1 package", 1, 1),
        (f"Found 1 known vulnerability in 1 package\n{UNKNOWN}", 1, 1),
        (f"No known vulnerabilities found\n{UNKNOWN}", 0, 2),
        ("ConnectionError: nobody answers", 1, 2),
    ],
)
def test_it_passes_only_when_every_package_was_asked_about(
    tmp_path: Path, said: str, ended: int, code: int
) -> None:
    for folder in ("scripts", ".venv/audit/bin"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "scripts")
    tool = tmp_path / ".venv/audit/bin/pip-audit"
    tool.write_text(f"#!/bin/sh\necho '{said}'\nexit {ended}\n")
    tool.chmod(0o755)
    done = subprocess.run([tmp_path / "scripts/audit"], check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    assert said.splitlines()[0] in done.stdout
    assert ("Not audited" in done.stderr) == (code == 2)
