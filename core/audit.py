"""Who did what, written in the same transaction as the deed. Append-only, and chained.

Each row carries a digest of itself and of the row before: one that is changed, taken out or put in
breaks the chain. Whoever makes all later rows anew is found out by a digest that was noted
elsewhere (`recontour audit verify` prints the newest).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from core.tables import audit


def record(
    connection: sa.Connection,
    *,
    who: str,
    event: str,
    now: datetime,
    case_id: str | None = None,
    **detail: Any,
) -> None:
    """Add one row; `event` is a word of ours (case.approved ...), never free text."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyhow
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7403)"))
    # As it will be read again: the digest is of what is stored, whose keys are strings.
    detail = json.loads(json.dumps(detail))
    newest = sa.select(audit.c.chain).order_by(audit.c.id.desc()).limit(1)
    before = connection.scalar(newest) or ""
    values: dict[str, Any] = {
        "at": now,
        "who": who,
        "event": event,
        "case_id": case_id,
        "detail": detail,
    }
    connection.execute(sa.insert(audit).values(**values, chain=link(before, **values)))


def link(
    before: str,
    *,
    at: datetime,
    who: str,
    event: str,
    case_id: str | None,
    detail: dict[str, Any],
) -> str:
    """SHA-256 of a row and of the digest `before` it."""
    row = [before, at.astimezone(UTC).isoformat(), who, event, case_id, detail]
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()


def first_break(rows: Iterable[sa.RowMapping]) -> int | None:
    """Id of the first row, in order, that does not follow from the one before; None: all do."""
    before = ""
    for row in rows:
        values = {name: row[name] for name in ("at", "who", "event", "case_id", "detail")}
        if link(before, **values) != row["chain"]:
            return int(row["id"])
        before = row["chain"]
    return None
