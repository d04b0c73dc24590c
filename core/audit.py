"""Who did what, written in the same transaction as the deed. Append-only."""

from __future__ import annotations

from datetime import datetime
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
    connection.execute(
        sa.insert(audit).values(at=now, who=who, event=event, case_id=case_id, detail=detail)
    )
