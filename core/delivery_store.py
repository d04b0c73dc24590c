"""The outbox: approved structure sets on their way to a destination."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit
from core.case import CaseState
from core.case_store import NODE, fetch_case, move
from core.database import reading, writing
from core.records import Delivery
from core.tables import commitment_asked, delivery

QUEUED, SENT, HELD = "QUEUED", "SENT", "HELD"


class DeliveryStore:
    """Rows of the outbox. A row exists from the moment of approval until for ever."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, delivery_id: str) -> Delivery:
        """The delivery with this id."""
        with reading(self._engine) as connection:
            query = select_deliveries().where(delivery.c.id == delivery_id)
            return Delivery(**connection.execute(query).mappings().one())

    def all(self, *, case_id: str | None = None, state: str | None = None) -> list[Delivery]:
        """Deliveries, newest first."""
        query = select_deliveries().order_by(delivery.c.created_at.desc(), delivery.c.id)
        if case_id is not None:
            query = query.where(delivery.c.case_id == case_id)
        if state is not None:
            query = query.where(delivery.c.state == state)
        with reading(self._engine) as connection:
            return [Delivery(**row) for row in connection.execute(query).mappings()]

    def due(self, *, now: datetime) -> list[Delivery]:
        """Deliveries whose next try has come, oldest first."""
        query = (
            select_deliveries()
            .where(delivery.c.state == QUEUED, delivery.c.next_try_at <= now)
            .order_by(delivery.c.created_at, delivery.c.id)
        )
        with reading(self._engine) as connection:
            return [Delivery(**row) for row in connection.execute(query).mappings()]

    def tried(self, delivery_id: str, *, error: str, next_try_at: datetime) -> None:
        """Count a try that failed, and say why and when the next one is."""
        with writing(self._engine) as connection:
            _update(
                connection,
                delivery_id,
                attempts=delivery.c.attempts + 1,
                last_error=error,
                next_try_at=next_try_at,
            )

    def release_held(self, *, now: datetime) -> int:
        """Queue every held delivery again; returns how many there were."""
        with writing(self._engine) as connection:
            changed = connection.execute(
                sa.update(delivery)
                .where(delivery.c.state == HELD)
                .values(state=QUEUED, next_try_at=now)
            )
            return changed.rowcount

    def held(self, delivery_id: str, *, reason: str, now: datetime) -> None:
        """Stop a delivery that must not leave the node, and say why."""
        with writing(self._engine) as connection:
            row = _update(connection, delivery_id, state=HELD, last_error=reason)
            audit.record(
                connection,
                who=NODE,
                event="delivery.held",
                now=now,
                case_id=row.case_id,
                reason=reason,
            )

    def sent(self, delivery_id: str, *, sop_instance_uid: str, now: datetime) -> None:
        """The destination answered 0x0000. The last delivery of a case makes it DELIVERED."""
        with writing(self._engine) as connection:
            before = connection.execute(
                sa.select(delivery.c.state).where(delivery.c.id == delivery_id)
            ).scalar_one()
            if before == SENT:
                return
            row = _update(
                connection,
                delivery_id,
                state=SENT,
                attempts=delivery.c.attempts + 1,
                last_error="",
                sop_instance_uid=sop_instance_uid,
                sent_at=now,
            )
            audit.record(
                connection,
                who=NODE,
                event="delivery.sent",
                now=now,
                case_id=row.case_id,
                destination=row.destination,
                sop_instance_uid=sop_instance_uid,
            )
            open_ones = sa.select(delivery.c.id).where(
                delivery.c.case_id == row.case_id, delivery.c.state != SENT
            )
            approved = fetch_case(connection, row.case_id).state is CaseState.APPROVED
            if approved and connection.execute(open_ones).first() is None:
                move(connection, row.case_id, CaseState.DELIVERED, who=NODE, now=now)


def select_deliveries() -> sa.Select[Any]:
    """Deliveries with where their storage commitment stands: the columns of `Delivery`."""
    asked = commitment_asked.c
    return sa.select(
        delivery,
        sa.func.coalesce(asked.state, "").label("commitment"),
        sa.func.coalesce(asked.last_error, "").label("commitment_error"),
    ).outerjoin(commitment_asked, asked.delivery_id == delivery.c.id)


def _update(connection: sa.Connection, delivery_id: str, **values: Any) -> sa.Row[Any]:
    connection.execute(sa.update(delivery).where(delivery.c.id == delivery_id).values(**values))
    return connection.execute(sa.select(delivery).where(delivery.c.id == delivery_id)).one()
