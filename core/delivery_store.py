"""The outbox: approved structure sets on their way to a destination."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit
from core.case import CaseState
from core.case_store import NODE, fetch_case, move
from core.database import reading, writing
from core.group_store import Sight, is_seen
from core.records import REVIEWED, Delivery
from core.reviewed_structure import reviewed_structure
from core.rules import is_under_review
from core.tables import case, commitment_asked, correction, delivery

QUEUED, SENT, HELD = "QUEUED", "SENT", "HELD"


class DeliveryStore:
    """Rows of the outbox. A row exists from the moment of approval; once it has begun, for ever."""

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

    def newest(
        self, most: int, *, hidden: Collection[str] = (), sight: Sight = None
    ) -> list[Delivery]:
        """The newest deliveries of cases in sight, at most so many, but of `hidden` cases."""
        query = (
            select_deliveries()
            .join(case, case.c.id == delivery.c.case_id)
            .where(delivery.c.case_id.not_in(hidden), is_seen(sight))
            .order_by(delivery.c.created_at.desc(), delivery.c.id)
            .limit(most)
        )
        with reading(self._engine) as connection:
            return [Delivery(**row) for row in connection.execute(query).mappings()]

    def due(self, *, now: datetime) -> list[Delivery]:
        """Deliveries whose next try has come, oldest first."""
        query = (
            select_deliveries()
            .where(delivery.c.state == QUEUED, delivery.c.next_try_at <= now, ~is_replaced())
            .order_by(delivery.c.created_at, delivery.c.id)
        )
        with reading(self._engine) as connection:
            return [Delivery(**row) for row in connection.execute(query).mappings()]

    def overdue(self, before: datetime) -> list[Delivery]:
        """Deliveries that were stopped, and those that should have arrived before a time."""
        begun = delivery.c.begun_at.is_not(None) | (delivery.c.attempts > 0)
        late = sa.case((begun, delivery.c.created_at), else_=delivery.c.next_try_at) < before
        query = select_deliveries().where(
            (delivery.c.state == HELD) | ((delivery.c.state == QUEUED) & late), ~is_replaced()
        )
        with reading(self._engine) as connection:
            return [Delivery(**row) for row in connection.execute(query).mappings()]

    def begin(self, delivery_id: str, *, now: datetime) -> Delivery | None:
        """The delivery, to be sent now; from here on its approval can no longer be taken back.

        None where nothing is to be sent: it was taken back, is held for a while yet, was sent, or
        was replaced.
        """
        with writing(self._engine) as connection:
            query = select_deliveries().where(delivery.c.id == delivery_id, ~is_replaced())
            row = connection.execute(query).mappings().first()
            if row is None or row["state"] == SENT:
                return None
            if row["begun_at"] is None:
                if row["attempts"] == 0 and row["next_try_at"] > now:
                    return None
                _update(connection, delivery_id, begun_at=now)
            return Delivery(**row)

    def retry(self, delivery_id: str, *, who: str, now: datetime) -> bool:
        """Try again at once what was held back by an error or waits for its next try.

        False where there is nothing to retry: it was sent, has not been tried yet, or was replaced.
        """
        with writing(self._engine) as connection:
            stuck = (delivery.c.id == delivery_id) & (delivery.c.state != SENT)
            tried = (delivery.c.attempts > 0) | (delivery.c.state == HELD)
            found = connection.execute(
                sa.select(delivery).where(stuck & tried, ~is_replaced())
            ).first()
            if found is None:
                return False
            _update(connection, delivery_id, state=QUEUED, next_try_at=now)
            audit.record(
                connection,
                who=who,
                event="delivery.retried",
                now=now,
                case_id=found.case_id,
                destination=found.destination,
                before=found.state,
                after=QUEUED,
            )
            return True

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
        """Queue every held delivery again unless it was replaced; returns how many there were."""
        with writing(self._engine) as connection:
            changed = connection.execute(
                sa.update(delivery)
                .where(delivery.c.state == HELD, ~is_replaced())
                .values(state=QUEUED, next_try_at=now)
            )
            return changed.rowcount

    def held(self, delivery_id: str, *, reason: str, now: datetime) -> None:
        """Stop a delivery that must not leave the node, and say why."""
        with writing(self._engine) as connection:
            before = _state(connection, delivery_id)
            row = _update(connection, delivery_id, state=HELD, last_error=reason)
            audit.record(
                connection,
                who=NODE,
                event="delivery.held",
                now=now,
                case_id=row.case_id,
                reason=reason,
                before=before,
                after=HELD,
            )

    def hold_waiting(self, *, reason: str) -> None:
        """Stop every delivery that waits to leave, and say why."""
        with writing(self._engine) as connection:
            waiting = sa.update(delivery).where(delivery.c.state == QUEUED)
            connection.execute(waiting.values(state=HELD, last_error=reason))

    def sent(self, delivery_id: str, *, sop_instance_uid: str, now: datetime) -> None:
        """The destination answered 0x0000.

        The last delivery of the newest approval of the structure under review makes the case
        DELIVERED; one that is turned to later is found where it stands (`core.turn_store`).
        """
        with writing(self._engine) as connection:
            before = _state(connection, delivery_id)
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
                before=before,
                after=SENT,
            )
            open_ones = sa.select(delivery.c.id).where(
                delivery.c.correction_id == row.correction_id, delivery.c.state != SENT
            )
            found = fetch_case(connection, row.case_id)
            roi = sa.select(correction.c.roi_name).where(correction.c.id == row.correction_id)
            replaced = sa.select(delivery.c.id).where(delivery.c.id == delivery_id, is_replaced())
            counts = (
                found.state is CaseState.APPROVED
                and is_under_review(found, str(connection.scalar(roi)))
                and connection.execute(replaced).first() is None
            )
            if counts and connection.execute(open_ones).first() is None:
                move(connection, row.case_id, CaseState.DELIVERED, who=NODE, now=now)


def select_deliveries() -> sa.Select[Any]:
    """Deliveries with their structure, and where their storage commitment stands: as `Delivery`."""
    asked = commitment_asked.c
    of = correction.alias()
    return (
        sa.select(
            delivery,
            sa.func.coalesce(asked.state, "").label("commitment"),
            sa.func.coalesce(asked.last_error, "").label("commitment_error"),
            of.c.roi_name,
        )
        .join(of, of.c.id == delivery.c.correction_id)
        .outerjoin(commitment_asked, asked.delivery_id == delivery.c.id)
    )


def is_held_back() -> sa.ColumnElement[bool]:
    """The corrections of which nothing has left, because their approval may still be taken back.

    No clock is asked: a hold ends when the first delivery begins.
    """
    return sa.exists().where(
        delivery.c.correction_id == correction.c.id,
        delivery.c.state == QUEUED,
        delivery.c.attempts == 0,
        delivery.c.begun_at.is_(None),
        delivery.c.next_try_at > delivery.c.created_at,
    )


def is_replaced() -> sa.ColumnElement[bool]:
    """The deliveries of an approval that does not count any more: it must not leave again.

    A newer approval of the structure took its place, or the structure was opened again or closed.
    While another structure of the case is reviewed, the approval counts.
    """
    of_case, own, newer = case.alias(), correction.alias(), correction.alias()
    # Where no rule has decided there is one structure.
    reviewed = sa.func.coalesce(reviewed_structure(of_case), own.c.roi_name)
    withdrawn = sa.exists().where(
        of_case.c.id == delivery.c.case_id,
        own.c.id == delivery.c.correction_id,
        reviewed == own.c.roi_name,
        of_case.c.state.not_in((CaseState.APPROVED, CaseState.DELIVERED)),
    )
    followed = sa.exists().where(
        own.c.id == delivery.c.correction_id,
        newer.c.case_id == own.c.case_id,
        newer.c.roi_name == own.c.roi_name,
        newer.c.origin == REVIEWED,
        newer.c.approved_at > own.c.approved_at,
    )
    return withdrawn | followed


def _state(connection: sa.Connection, delivery_id: str) -> str:
    state = sa.select(delivery.c.state).where(delivery.c.id == delivery_id)
    return str(connection.execute(state).scalar_one())


def _update(connection: sa.Connection, delivery_id: str, **values: Any) -> sa.Row[Any]:
    connection.execute(sa.update(delivery).where(delivery.c.id == delivery_id).values(**values))
    return connection.execute(sa.select(delivery).where(delivery.c.id == delivery_id)).one()
