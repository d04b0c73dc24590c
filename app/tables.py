"""Rows of a command's answer, as a table for people or as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]

_WIDEST = 1000
_NAME_WIDTH = 16


def show(rows: Sequence[Row], title: str, *, as_json: bool) -> None:
    """Print `rows`: as one JSON array with every digit, or as a table under `title`."""
    if as_json:
        print_json(rows)
    else:
        print_table(rows, title)


def print_json(rows: Sequence[Row]) -> None:
    """Print `rows` as one JSON array; what is unknown is null."""
    sys.stdout.write(json.dumps([dict(row) for row in rows], indent=1, allow_nan=False) + "\n")


def print_table(rows: Sequence[Row], title: str, *, console: Console | None = None) -> None:
    """Print `rows` as a table; columns are those of the first row, notes stand below it."""
    console = console or Console()
    if not rows:
        console.print(f"{title}: none.", markup=False, highlight=False)
        return
    columns = [name for name in rows[0] if name != "note"]
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in columns:
        numeric = any(isinstance(row[name], int | float) for row in rows)
        # A figure is never cut short, however narrow the terminal; a long name may be folded.
        widest = max(len(_cell(name, row[name])) for row in rows)
        least = widest if numeric else min(widest, _NAME_WIDTH)
        table.add_column(
            _heading(name),
            justify="right" if numeric else "left",
            min_width=least,
            overflow="fold",
        )
    for row in rows:
        # Text: a structure called [PTV] is a name, not markup.
        table.add_row(*(Text(_cell(name, row[name])) for name in columns))
    least = Measurement.get(console, console.options.update(width=_WIDEST), table).minimum
    console.print(table, width=max(console.width, least), crop=False)
    for row in rows:
        if row.get("note"):
            console.print(
                f"{row.get('roi_name', '')}: {row['note']}", markup=False, highlight=False
            )


def _heading(name: str) -> str:
    return name.replace("_", " ").replace(" gy", " Gy").replace("difference", "change")


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    decimals = 4 if "dice" in name else 3 if name.endswith("_gy") or "coverage" in name else 2
    return f"{value:.{decimals}f}"
