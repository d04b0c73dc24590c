"""The outbox as people read it: every delivery there ever was, in the states they speak of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from core.asked_store import COMMITTED, REFUSED
from core.database import reading
from core.delivery_store import HELD, QUEUED, SENT, is_replaced
from core.group_store import Sight, is_seen
from core.tables import UtcTime, audit, case, commitment_asked, correction, delivery

PAGE_ROWS = 50
DeliveryState = Literal[
    "held", "waiting", "sending", "failed", "delivered", "committed", "replaced", "undone"
]
"""held: its approval can be undone. failed: stopped, not committed, or waits for its next try.

replaced: it failed and is not sent any more, because its case was opened again or approved anew."""


@dataclass(frozen=True, slots=True)
class Shipment:
    """One delivery, or what is left of one that was undone: then `id` is empty.

    `next_try_at` is None where there is none; `answer` is what the destination or the node said
    last, empty where nobody said anything.
    """

    id: str
    case_id: str
    patient_name: str
    patient_id: str
    roi_name: str
    destination: str
    state: DeliveryState
    attempts: int
    answer: str
    created_at: datetime
    next_try_at: datetime | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Outbox:
    """One page of the deliveries that are asked for, newest first; `counts` of all, by state."""

    rows: list[Shipment]
    counts: dict[str, int]
    page: int
    pages: int


class OutboxStore:
    """Reads deliveries page by page."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def page(
        self, *, state: DeliveryState | None, page: int, now: datetime, sight: Sight = None
    ) -> Outbox:
        """One page of the deliveries in `state`, or of all, of the cases in sight.

        A page beyond the last is the last.
        """
        parts = (part.where(is_seen(sight)) for part in (_existing(now), _undone()))
        everything = sa.union_all(*parts).subquery()
        counting = sa.select(everything.c.state, sa.func.count()).group_by(everything.c.state)
        query = sa.select(everything).order_by(
            everything.c.created_at.desc(), everything.c.case_id, everything.c.destination
        )
        if state is not None:
            query = query.where(everything.c.state == state)
        with reading(self._engine) as connection:
            counts: dict[str, int] = {row[0]: row[1] for row in connection.execute(counting)}
            total = sum(counts.values()) if state is None else counts.get(state, 0)
            pages = max(1, -(-total // PAGE_ROWS))
            shown = min(max(page, 1), pages)
            rows = connection.execute(query.limit(PAGE_ROWS).offset((shown - 1) * PAGE_ROWS))
            found = [Shipment(**row) for row in rows.mappings()]
        return Outbox(found, counts, shown, pages)


def _existing(now: datetime) -> sa.Select[Any]:
    asked = commitment_asked.c
    # The order is that of what may be said of a delivery: the newest answer counts.
    said = sa.func.coalesce(sa.func.nullif(delivery.c.last_error, ""), asked.last_error, "")
    return (
        sa.select(
            delivery.c.id,
            delivery.c.case_id,
            case.c.patient_name,
            case.c.patient_id,
            correction.c.roi_name,
            delivery.c.destination,
            _state(now).label("state"),
            delivery.c.attempts,
            said.label("answer"),
            delivery.c.created_at,
            sa.case((delivery.c.state == QUEUED, delivery.c.next_try_at), else_=sa.null()).label(
                "next_try_at"
            ),
            delivery.c.sent_at,
        )
        .join(case, case.c.id == delivery.c.case_id)
        .join(correction, correction.c.id == delivery.c.correction_id)
        .outerjoin(commitment_asked, asked.delivery_id == delivery.c.id)
    )


def _state(now: datetime) -> sa.ColumnElement[str]:
    row, asked = delivery.c, commitment_asked.c
    begun = row.begun_at.is_not(None) | (row.attempts > 0)
    later = row.next_try_at > now
    return sa.case(
        ((row.state == SENT) & (asked.state == COMMITTED), "committed"),
        ((row.state == SENT) & (sa.func.coalesce(asked.state, "") != REFUSED), "delivered"),
        (is_replaced(), "replaced"),
        (row.state.in_((HELD, SENT)), "failed"),
        (begun & later, "failed"),
        (begun, "sending"),
        (later, "held"),
        else_="waiting",
    )


def _undone() -> sa.Select[Any]:
    """What was taken back before it left: only the audit knows of it."""
    nothing = sa.cast(sa.null(), UtcTime)
    return (
        sa.select(
            sa.literal("").label("id"),
            audit.c.case_id,
            case.c.patient_name,
            case.c.patient_id,
            sa.func.coalesce(audit.c.detail["roi_name"].as_string(), "").label("roi_name"),
            audit.c.detail["destination"].as_string().label("destination"),
            sa.literal("undone").label("state"),
            sa.literal(0).label("attempts"),
            sa.literal("").label("answer"),
            audit.c.at.label("created_at"),
            nothing.label("next_try_at"),
            nothing.label("sent_at"),
        )
        .join(case, case.c.id == audit.c.case_id)
        .where(audit.c.event == "delivery.undone")
    )
