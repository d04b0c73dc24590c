"""What reviewers did, and how long it took them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.database import reading, writing
from core.tables import interaction
from core.timing import active_s

MOST_EVENTS = 20_000
"""Of one person on one case; what is done after that is not kept."""


@dataclass(frozen=True, slots=True)
class Worked:
    """One person's time on one case in one arm; `begun_at` is the first thing that was done."""

    case_id: str
    who: str
    arm: str
    begun_at: datetime
    seconds: float


class TimingStore:
    """Interaction events. They tell how long contouring takes, and are not the contour."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(
        self,
        case_id: str,
        events: Sequence[tuple[datetime, str, dict[str, Any]]],
        *,
        who: str,
        arm: str,
    ) -> int:
        """Keep what somebody did on a case, as far as there is room; returns how many."""
        with writing(self._engine) as connection:
            mine = (interaction.c.case_id == case_id) & (interaction.c.made_by == who)
            kept = connection.scalar(sa.select(sa.func.count()).where(mine)) or 0
            rows = [
                {
                    "case_id": case_id,
                    "made_by": who,
                    "made_at": at,
                    "kind": kind,
                    "detail": detail,
                    "arm": arm,
                }
                for at, kind, detail in events[: max(0, MOST_EVENTS - kept)]
            ]
            if rows:
                connection.execute(sa.insert(interaction), rows)
            return len(rows)

    def spent_s(self, case_id: str, *, who: str, arm: str) -> float:
        """Seconds that somebody has worked on a case so far in one arm."""
        query = sa.select(interaction.c.made_at).where(
            interaction.c.case_id == case_id,
            interaction.c.made_by == who,
            interaction.c.arm == arm,
        )
        with reading(self._engine) as connection:
            moments = connection.scalars(query).all()
        return active_s((at, case_id) for at in moments).get(case_id, 0.0)

    def work_of(self, who: str) -> list[Worked]:
        """All of somebody's work, in the order in which cases were begun."""
        with reading(self._engine) as connection:
            return _worked(who, connection.execute(_events().where(interaction.c.made_by == who)))

    def work_on(self, case_id: str) -> list[Worked]:
        """Everybody's work on a case."""
        people = sa.select(interaction.c.made_by).where(interaction.c.case_id == case_id).distinct()
        with reading(self._engine) as connection:
            names = sorted(connection.scalars(people).all())
        return [work for who in names for work in self.work_of(who) if work.case_id == case_id]

    def people(self) -> list[str]:
        """Everybody of whom there is work."""
        query = sa.select(interaction.c.made_by).distinct().order_by(interaction.c.made_by)
        with reading(self._engine) as connection:
            return list(connection.scalars(query).all())


def _events() -> sa.Select[Any]:
    order = (interaction.c.made_at, interaction.c.id)
    return sa.select(interaction.c.made_at, interaction.c.case_id, interaction.c.arm).order_by(
        *order
    )


def _worked(who: str, rows: Iterable[Any]) -> list[Worked]:
    found = [(row.made_at, (row.case_id, row.arm)) for row in rows]
    begun: dict[tuple[str, str], datetime] = {}
    for at, what in found:
        begun.setdefault(what, at)
    return [
        Worked(case_id, who, arm, begun[case_id, arm], seconds)
        for (case_id, arm), seconds in active_s(found).items()
    ]
