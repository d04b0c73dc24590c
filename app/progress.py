"""Progress of commands, on standard error: what a command answers stays clean."""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def bars() -> Iterator[Progress]:
    """What is done, of how much, since when and until when; meanwhile only warnings are logged."""
    before = structlog.get_config()
    structlog.configure(
        processors=[_warnings_alone, structlog.processors.KeyValueRenderer(key_order=["event"])],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    try:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as shown:
            yield shown
    finally:
        structlog.configure(**before)


def _warnings_alone(
    _logger: object, level: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if level in {"debug", "info"}:
        raise structlog.DropEvent
    return event
