"""No measured figure stands in a page without the command that makes it, or the word "trial"."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, REPOSITORY, code, links, page, rows

FIGURES = "docs/reference/figures.md"
LISTED = {(REPOSITORY / FIGURES).parent.joinpath(link).resolve() for link in links(page(FIGURES))}
# What only a measurement tells. Settings and tolerances have units too, but nobody measured them.
MEASURED = re.compile(
    r"(?<!not )\b[Mm]easured\b[^.|]{0,160}\d|\bDice (?:of )?0\.\d{2,}|"
    r"\b\d[\d.]* times as\b|\b\d+ CPU seconds|\b\d[\d.]* ms\b"
)
COMMAND = re.compile(r"python -m benchmarks\.\w+|`benchmarks/\w+\.py`|pytest tests/|make \w+")


def measured(path: Path) -> list[str]:
    """What a page says was measured."""
    return [found[0] for found in MEASURED.finditer(path.read_text())]


@pytest.mark.parametrize("path", [p for p in PAGES if measured(p)], ids=lambda path: path.name)
def test_a_page_with_measured_figures_says_how_or_is_listed(path: Path) -> None:
    if path.relative_to(REPOSITORY).as_posix() == FIGURES:
        return
    assert path in LISTED or COMMAND.search(path.read_text()), measured(path)


def test_every_command_of_the_list_exists() -> None:
    words = code(page(FIGURES))
    benchmarks = {w.split()[2] for w in words if w.startswith("python -m ")}
    tests = {name for w in words if w.startswith("pytest ") for name in re.findall(r"tests/\S+", w)}
    assert len(benchmarks) > 7
    assert [b for b in benchmarks if not (REPOSITORY / f"{b.replace('.', '/')}.py").is_file()] == []
    assert [t for t in tests if not (REPOSITORY / t).exists()] == []


def test_every_row_names_a_command_or_says_that_it_was_a_trial() -> None:
    bare = [
        row[1]
        for row in rows(page(FIGURES))
        if "`" not in row[2] and "trial" not in row[2] and "below" not in row[2]
    ]
    assert bare == []
