"""A table of services and peers after the run: what `make peers` prints.

A plugin of pytest, registered for the whole suite: the process that prints collects no tests where
several run them.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_PROPERTY = "service"
_WORDS = {"passed": "ok", "failed": "FAILED", "error": "FAILED", "skipped": "skipped"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Note on the report of a test with the marker `service` which line it fills."""
    report: Any = yield
    marker = item.get_closest_marker("service")
    if marker is not None:
        service, peer = marker.args
        line = "TLS" if "tls" in item.name.rpartition("[")[2] else "plain"
        report.user_properties.append((_PROPERTY, (service, peer, line)))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table, if any of its tests ran."""
    lines: dict[tuple[str, str], dict[str, set[str]]] = {}
    for outcome, words in _WORDS.items():
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in getattr(report, "user_properties", []):
                if name == _PROPERTY:
                    service, peer, line = value
                    found = lines.setdefault((service, peer), {"plain": set(), "TLS": set()})
                    found[line].add(words)
    if not lines:
        return
    table = Table(box=SIMPLE_HEAD, title="Services before foreign peers", title_justify="left")
    for name in ("service", "peer", "plain", "TLS"):
        table.add_column(name, no_wrap=True)
    for (service, peer), found in sorted(lines.items()):
        table.add_row(service, peer, _worst(found["plain"]), _worst(found["TLS"]))
    terminalreporter.write_line("")
    Console(file=terminalreporter._tw._file, width=100).print(table)


def _worst(outcomes: set[str]) -> str:
    return next((word for word in ("FAILED", "skipped", "ok") if word in outcomes), "-")
