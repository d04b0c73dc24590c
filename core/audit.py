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

from core.case import CaseState
from core.tables import audit

CHANGES = frozenset(
    {
        *(f"case.{state.lower()}" for state in CaseState),
        *("case.taken_over", "case.passed_on", "case.turned", "case.arm_chosen"),
        *("account.created", "account.roles", "account.groups", "account.renamed"),
        *("account.reactivated", "account.deactivated"),
        *("account.password_reset", "account.password_changed"),
        *("account.second_factor_on", "account.second_factor_off", "account.second_factor_reset"),
        *("account.recovery_codes_made", "account.recovery_code_used"),
        *("model.released", "model.waits", "model.pinned", "model.unpinned", "model.rolled_back"),
        *("model.shadow_started", "model.shadow_ended"),
        *("observer.asked", "observer.withdrawn", "observer.signed"),
        *("correction.suspicious", "correction.released", "correction.discarded"),
        *("delivery.retried", "delivery.held", "delivery.sent", "delivery.undone"),
        *("delivery.committed", "delivery.not_committed"),
        *("commitment.reported", "instance.replaced", "strokes.taken", "key.added", "key.removed"),
    }
)
"""Events after which something is another than it was: their rows say `before` and `after`.

None is what was not there, or is no more. Secrets are never said: whether there is one is. All
other events tell of a deed that leaves what it is about as it was, or of something that came.
"""


def record(
    connection: sa.Connection,
    *,
    who: str,
    event: str,
    now: datetime,
    case_id: str | None = None,
    **detail: Any,
) -> None:
    """Add one row; `event` is a word of ours (case.approved ...), never free text.

    One of `CHANGES` comes with `before` and `after`.
    """
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
