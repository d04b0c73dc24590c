"""The browser's own modules, tested where they are: in JavaScript, by Node."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.peers import require_program

TESTS = sorted((Path(__file__).parent / "javascript").glob("*.test.mjs"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_modules_without_a_page_hold_their_tests(path: Path) -> None:
    node = require_program("node")
    done = subprocess.run(
        [node, "--test", str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_there_are_javascript_tests() -> None:
    assert len(TESTS) >= 4
