"""Markdown pages as tests read them: sections, tables, code, links."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
ROOT_PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [REPOSITORY / name for name in ROOT_PAGES] + sorted((REPOSITORY / "docs").rglob("*.md"))

_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")


def page(name: str) -> str:
    """The text of a page, named from the root of the repository."""
    return (REPOSITORY / name).read_text()


def sections(text: str, level: int) -> dict[str, str]:
    """Text under each heading of `level`, up to the next heading of this or a higher level."""
    found: dict[str, str] = {}
    parts = re.split(rf"^(#{{1,{level}}}) (.+)$", text, flags=re.MULTILINE)
    for marks, heading, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if len(marks) == level:
            found[heading.strip()] = body
    return found


def rows(text: str) -> list[list[str]]:
    """Cells of every table row but headings and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = {i for i, row in enumerate(cells) if all(re.fullmatch(r":?-+:?", c) for c in row)}
    return [row for i, row in enumerate(cells) if i not in rules and i + 1 not in rules]


def code(text: str) -> list[str]:
    """What stands between backticks outside of fenced blocks."""
    return _CODE.findall(_FENCED.sub("", text))


def fenced_lines(text: str) -> list[str]:
    """Lines of fenced blocks, without their remarks."""
    blocks = [block.splitlines()[1:-1] for block in _FENCED.findall(text)]
    return [line.split("#")[0].strip() for block in blocks for line in block]


def links(text: str) -> list[str]:
    """Targets of all links and pictures that lie in the repository."""
    found = _LINK.findall(_FENCED.sub("", text))
    return [target for target in found if "://" not in target and not target.startswith("mailto:")]


def anchors(text: str) -> set[str]:
    """The anchors that headings get: lower case, dashes for spaces, no punctuation."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
