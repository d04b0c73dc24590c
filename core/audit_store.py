"""The audit as people read it: who did what, when, on which case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit as writer
from core.database import reading, writing
from core.tables import audit

PAGE_ROWS = 100


@dataclass(frozen=True, slots=True)
class AuditQuestion:
    """What is asked for; empty or None is everything. `since` is within, `until` is not."""

    who: str = ""
    event: str = ""
    case_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the audit."""

    id: int
    at: datetime
    who: str
    event: str
    case_id: str | None
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """One page, the newest first."""

    rows: list[AuditEntry]
    total: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class AuditChain:
    """What a check of the chain found; `broken_at` is the id of the first row that is wrong."""

    rows: int
    broken_at: int | None
    newest: str
    holds_noted: bool


class AuditStore:
    """Reads the audit. Nothing here changes a row."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def page(self, asked: AuditQuestion, *, page: int) -> AuditPage:
        """One page of what is asked for; a page beyond the last becomes the last."""
        with reading(self._engine) as connection:
            counting = sa.select(sa.func.count()).select_from(audit).where(*_conditions(asked))
            total = connection.scalar(counting) or 0
            pages = max(1, -(-total // PAGE_ROWS))
            shown = min(max(page, 1), pages)
            query = _newest(asked).limit(PAGE_ROWS).offset((shown - 1) * PAGE_ROWS)
            rows = [to_entry(row) for row in connection.execute(query).mappings()]
        return AuditPage(rows, total, shown, pages)

    def all(self, asked: AuditQuestion) -> list[AuditEntry]:
        """Everything that is asked for, the newest first."""
        with reading(self._engine) as connection:
            return [to_entry(row) for row in connection.execute(_newest(asked)).mappings()]

    def chain(self, noted: str = "") -> AuditChain:
        """Whether every row follows from the one before, and the digest `noted` is among them."""
        in_order = sa.select(audit).order_by(audit.c.id)
        with reading(self._engine) as connection:
            rows = connection.execute(in_order).mappings().all()
        return AuditChain(
            rows=len(rows),
            broken_at=writer.first_break(rows),
            newest=rows[-1]["chain"] if rows else "",
            holds_noted=not noted or any(row["chain"].startswith(noted) for row in rows),
        )

    def names(self) -> tuple[list[str], list[str]]:
        """Who ever did something, and the events there ever were, both in order."""
        with reading(self._engine) as connection:
            who, events = (
                list(connection.scalars(sa.select(column).distinct().order_by(column)))
                for column in (audit.c.who, audit.c.event)
            )
        return who, events

    def downloaded(self, *, who: str, rows: int, now: datetime) -> None:
        """Write down who took a copy of the audit."""
        with writing(self._engine) as connection:
            writer.record(connection, who=who, event="audit.downloaded", now=now, rows=rows)


def _newest(asked: AuditQuestion) -> sa.Select[Any]:
    return sa.select(audit).where(*_conditions(asked)).order_by(audit.c.id.desc())


def _conditions(asked: AuditQuestion) -> list[sa.ColumnElement[bool]]:
    found = [
        column == value
        for column, value in (
            (audit.c.who, asked.who),
            (audit.c.event, asked.event),
            (audit.c.case_id, asked.case_id),
        )
        if value
    ]
    if asked.since is not None:
        found.append(audit.c.at >= asked.since)
    if asked.until is not None:
        found.append(audit.c.at < asked.until)
    return found


def to_entry(row: sa.RowMapping) -> AuditEntry:
    """The row as people read it."""
    return AuditEntry(**{name: value for name, value in row.items() if name != "chain"})
