"""The browser's own modules, tested where they are: in JavaScript, by Node."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.peers import missing, require_program
from tests.support.settings import REPOSITORY

PAGE = REPOSITORY / "review_ui"
TYPESCRIPT = PAGE / "node_modules" / "typescript" / "bin" / "tsc"
TESTS = sorted((Path(__file__).parent / "javascript").glob("*.test.mjs"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_modules_without_a_page_hold_their_tests(path: Path) -> None:
    node = require_program("node")
    done = subprocess.run(
        [node, "--test", str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_there_are_javascript_tests() -> None:
    assert len(TESTS) >= 11


def test_the_types_in_the_comments_hold() -> None:
    done = checked(PAGE / "jsconfig.json")
    assert done.returncode == 0, done.stdout


def test_a_wrong_type_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "jsconfig.json").write_text((PAGE / "jsconfig.json").read_text())
    scripts = tmp_path / "static" / "js"
    scripts.mkdir(parents=True)
    (scripts / "wrong.js").write_text(
        "/** @param {number} radiusMm */\n"
        "export const twice = (radiusMm) => 2 * radiusMm;\n"
        'twice("8 mm");\n'
    )
    done = checked(tmp_path / "jsconfig.json")
    assert done.returncode != 0
    assert "wrong.js(3,7): error TS2345" in done.stdout


def checked(config: Path) -> subprocess.CompletedProcess[str]:
    """What the checker says of the scripts that `config` names."""
    node = require_program("node")
    if not TYPESCRIPT.is_file():
        missing("TypeScript is not installed; scripts/install-typescript does it")
    return subprocess.run(
        [node, TYPESCRIPT, "--project", config],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
