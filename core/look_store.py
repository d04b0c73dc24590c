"""Who has looked at a case: whoever has cannot contour it independently any more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from core.database import reading, writing
from core.people_tables import case_look
from core.tables import case


class LookStore:
    """The first look of each person at each case."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def note(self, case_ids: Iterable[str], *, who: str, now: datetime) -> None:
        """Keep that something of these cases was shown to somebody; twice counts once."""
        asked = set(case_ids)
        with reading(self._engine) as connection:
            if asked <= _seen(connection, asked, who):
                return
        with writing(self._engine) as connection:
            there = sa.select(case.c.id).where(case.c.id.in_(asked))
            new = set(connection.scalars(there)) - _seen(connection, asked, who)
            rows = [{"case_id": one, "who": who, "first_at": now} for one in sorted(new)]
            if rows:
                connection.execute(sa.insert(case_look), rows)


def _seen(connection: sa.Connection, case_ids: set[str], who: str) -> set[str]:
    mine = (case_look.c.who == who) & case_look.c.case_id.in_(case_ids)
    return set(connection.scalars(sa.select(case_look.c.case_id).where(mine)))
