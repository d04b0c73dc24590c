"""What reviewers did, and how long it took them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from core.database import reading, writing
from core.records import REVIEWED
from core.tables import case, correction, interaction, journal
from core.timing import IDLE_S, active_s

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
        roi_name: str,
        events: Sequence[tuple[datetime, str, dict[str, Any]]],
        *,
        who: str,
        arm: str,
    ) -> int:
        """Keep what somebody did for a structure, as far as there is room; returns how many."""
        with writing(self._engine) as connection:
            mine = (interaction.c.case_id == case_id) & (interaction.c.made_by == who)
            kept = connection.scalar(sa.select(sa.func.count()).where(mine)) or 0
            rows = [
                {
                    "case_id": case_id,
                    "roi_name": roi_name,
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

    def spent_s(self, case_id: str, roi_name: str, *, who: str, arm: str) -> float:
        """Seconds that somebody has worked on a structure of a case so far in one arm."""
        query = sa.select(interaction.c.made_at).where(
            interaction.c.case_id == case_id,
            interaction.c.made_by == who,
            interaction.c.arm == arm,
            _was_for(roi_name),
        )
        with reading(self._engine) as connection:
            moments = connection.scalars(query).all()
        return active_s((at, case_id) for at in moments).get(case_id, 0.0)

    def work_of(self, who: str) -> list[Worked]:
        """All of somebody's work, in the order in which cases were begun."""
        return self._worked(_pauses().where(interaction.c.made_by == who))

    def work_on(self, case_id: str) -> list[Worked]:
        """Everybody's work on a case, by name."""
        return self._worked(_pauses().where(interaction.c.case_id == case_id))

    def contouring_s(self, roi_name: str) -> dict[tuple[str, str], float]:
        """Seconds that contouring took, by case and arm, until the last approval of `roi_name`.

        Of those who painted or approved: who only looked, or looks afterwards, contours nothing.
        """
        reviewed = (correction.c.roi_name == roi_name) & (correction.c.origin == REVIEWED)
        last = (
            sa.select(correction.c.case_id, sa.func.max(correction.c.approved_at).label("at"))
            .where(reviewed)
            .group_by(correction.c.case_id)
            .subquery()
        )
        took_part = sa.union(
            sa.select(journal.c.case_id, journal.c.made_by.label("who")).where(
                journal.c.roi_name == roi_name
            ),
            sa.select(correction.c.case_id, correction.c.approved_by).where(reviewed),
        ).subquery()
        pauses = (
            _pauses()
            .join(last, last.c.case_id == interaction.c.case_id)
            .join(
                took_part,
                (took_part.c.case_id == interaction.c.case_id)
                & (took_part.c.who == interaction.c.made_by),
            )
            .where(interaction.c.made_at <= last.c.at, _was_for(roi_name))
        )
        found: dict[tuple[str, str], float] = defaultdict(float)
        for work in self._worked(pauses):
            found[work.case_id, work.arm] += work.seconds
        return found

    def people(self) -> list[str]:
        """Everybody of whom there is work."""
        query = sa.select(interaction.c.made_by).distinct().order_by(interaction.c.made_by)
        with reading(self._engine) as connection:
            return list(connection.scalars(query).all())

    def _worked(self, pauses: sa.Select[Any]) -> list[Worked]:
        events = pauses.subquery()
        pause_s = SecondsBetween(events.c.made_at, events.c.following)
        begun = sa.func.min(events.c.made_at)
        query = (
            sa.select(
                events.c.case_id,
                events.c.made_by,
                events.c.arm,
                begun,
                sa.func.sum(sa.case((pause_s < IDLE_S, pause_s), else_=0.0)),
            )
            .group_by(events.c.made_by, events.c.case_id, events.c.arm)
            .order_by(events.c.made_by, begun, events.c.case_id)
        )
        with reading(self._engine) as connection:
            return [Worked(*row) for row in connection.execute(query)]


def _was_for(roi_name: str) -> sa.ColumnElement[bool]:
    """What was done for a structure; before it was kept for which, only the first was reviewed."""
    first = case.c.routing[("structures", 0)].as_string()
    reviewed_first = sa.exists().where(
        case.c.id == interaction.c.case_id, sa.func.coalesce(first, roi_name) == roi_name
    )
    unsaid = (interaction.c.roi_name == "") & reviewed_first
    return (interaction.c.roi_name == roi_name) | unsaid


def _pauses() -> sa.Select[Any]:
    """Events with the moment of the next one of the same person, on whatever case that was.

    As `core.timing.active_s` counts, in the database: a clinic has millions of them.
    """
    later = interaction.alias()
    next_one = (
        sa.select(later.c.made_at)
        .where(
            later.c.made_by == interaction.c.made_by,
            later.c.made_at >= interaction.c.made_at,
            (later.c.made_at > interaction.c.made_at) | (later.c.id > interaction.c.id),
        )
        .order_by(later.c.made_at, later.c.id)
        .limit(1)
        .scalar_subquery()
    )
    columns = (interaction.c.case_id, interaction.c.made_by, interaction.c.arm)
    return sa.select(*columns, interaction.c.made_at, next_one.label("following"))


class SecondsBetween(sa.sql.functions.FunctionElement[float]):
    """Seconds from one moment to a later one, to the millisecond."""

    type = sa.Float()
    inherit_cache = True


@compiles(SecondsBetween, "sqlite")
def _in_sqlite(element: SecondsBetween, compiler: Any, **kwargs: Any) -> str:
    first, second = (compiler.process(each, **kwargs) for each in element.clauses)
    return f"round((julianday({second}) - julianday({first})) * 86400000.0) / 1000.0"


@compiles(SecondsBetween, "postgresql")
def _in_postgresql(element: SecondsBetween, compiler: Any, **kwargs: Any) -> str:
    first, second = (compiler.process(each, **kwargs) for each in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM ({second} - {first})) AS DOUBLE PRECISION)"
