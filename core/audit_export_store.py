"""How far the audit was sent to a log elsewhere: every row in order, none left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.audit_store import AuditEntry, to_entry
from core.database import reading, writing
from core.people_tables import audit_export
from core.tables import audit

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """`sent_id` was the last row that was sent; `attempts` failed since."""

    sent_id: int = 0
    attempts: int = 0
    last_error: str = ""


class AuditExportStore:
    """One row for each destination."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def progress(self, destination: str) -> Progress:
        """How far it was sent there; from the beginning where it never was."""
        with reading(self._engine) as connection:
            row = connection.execute(_of(destination)).first()
        return Progress() if row is None else Progress(row.sent_id, row.attempts, row.last_error)

    def due(self, destination: str, *, now: datetime) -> Progress | None:
        """How far it was sent, where there is more to send and the time for a try has come."""
        with reading(self._engine) as connection:
            row = connection.execute(_of(destination)).first()
            newest = connection.scalar(sa.select(sa.func.max(audit.c.id))) or 0
        if row is not None and row.next_try_at > now:
            return None
        found = Progress() if row is None else Progress(row.sent_id, row.attempts, row.last_error)
        return found if newest > found.sent_id else None

    def after(self, sent_id: int) -> list[AuditEntry]:
        """The rows that follow, the oldest first, as many as are sent at once."""
        query = sa.select(audit).where(audit.c.id > sent_id).order_by(audit.c.id).limit(AT_ONCE)
        with reading(self._engine) as connection:
            return [to_entry(row) for row in connection.execute(query).mappings()]

    def sent(self, destination: str, *, up_to: int, now: datetime) -> None:
        """All up to this row has arrived."""
        self._put(destination, sent_id=up_to, attempts=0, next_try_at=now, last_error="")

    def failed(self, destination: str, *, error: str, next_try_at: datetime) -> None:
        """Nothing more has arrived; try again then."""
        before = self.progress(destination)
        self._put(
            destination,
            sent_id=before.sent_id,
            attempts=before.attempts + 1,
            next_try_at=next_try_at,
            last_error=error,
        )

    def _put(self, destination: str, **values: Any) -> None:
        with writing(self._engine) as connection:
            mine = audit_export.c.destination == destination
            changed = connection.execute(sa.update(audit_export).where(mine).values(**values))
            if not changed.rowcount:
                row = {"destination": destination, **values}
                connection.execute(sa.insert(audit_export).values(row))


def _of(destination: str) -> sa.Select[Any]:
    return sa.select(audit_export).where(audit_export.c.destination == destination)
