"""What we asked destinations to commit after they had accepted it (PS3.4 Annex J, as SCU)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit
from core.case_store import NODE
from core.commitments import Commitment, Reference, as_json, commitment_of, new_transaction_uid
from core.database import reading, writing
from core.delivery_store import QUEUED, SENT, is_replaced
from core.tables import commitment_asked as asked
from core.tables import delivery

# DUE until the destination took the request, ASKED until it reports; REFUSED when we gave up.
# The row counts as attempts how often the destination did not commit.
DUE, ASKED, COMMITTED, REFUSED = "DUE", "ASKED", "COMMITTED", "REFUSED"


class AskedStore:
    """Rows of what we ask, one for each delivery to a destination that is asked."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def expect(
        self, delivery_id: str, references: Sequence[Reference], *, destination: str, now: datetime
    ) -> None:
        """What a delivery sends is to be committed; due as soon as the delivery is SENT."""
        values = {"state": DUE, "objects": as_json(references), "next_try_at": now}
        with writing(self._engine) as connection:
            same = asked.c.delivery_id == delivery_id
            if connection.execute(sa.update(asked).where(same).values(**values)).rowcount:
                return
            connection.execute(
                sa.insert(asked).values(
                    id=uuid.uuid4().hex,
                    delivery_id=delivery_id,
                    transaction_uid=new_transaction_uid(),
                    destination=destination,
                    attempts=0,
                    last_error="",
                    created_at=now,
                    **values,
                )
            )

    def get(self, asked_id: str) -> Commitment:
        """What we ask of a destination."""
        with reading(self._engine) as connection:
            query = sa.select(asked).where(asked.c.id == asked_id)
            return _commitment(connection.execute(query).mappings().one())

    def due(self, *, now: datetime) -> list[Commitment]:
        """What is to be asked now: not asked yet, or asked and not answered for too long."""
        query = (
            sa.select(asked)
            .join(delivery, delivery.c.id == asked.c.delivery_id)
            .where(
                asked.c.state.in_([DUE, ASKED]),
                asked.c.next_try_at <= now,
                delivery.c.state == SENT,
            )
            .order_by(asked.c.created_at)
        )
        with reading(self._engine) as connection:
            return [_commitment(row) for row in connection.execute(query).mappings()]

    def in_transaction(self, transaction_uid: str) -> Commitment | None:
        """What was asked under this Transaction UID; None where it is not one of ours."""
        with reading(self._engine) as connection:
            query = sa.select(asked).where(asked.c.transaction_uid == transaction_uid)
            row = connection.execute(query).mappings().first()
            return None if row is None else _commitment(row)

    def asking(self, asked_id: str, *, next_try_at: datetime) -> Commitment:
        """Begin to ask under a new Transaction UID, written down before anybody can answer."""
        with writing(self._engine) as connection:
            return _commitment(
                _update(
                    connection,
                    asked_id,
                    state=ASKED,
                    transaction_uid=new_transaction_uid(),
                    next_try_at=next_try_at,
                )
            )

    def asking_failed(self, asked_id: str, *, error: str, next_try_at: datetime) -> None:
        """The destination did not take the request; when it is asked again."""
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(asked)
                # Its report may have come before its response was lost.
                .where(asked.c.id == asked_id, asked.c.state == ASKED)
                .values(state=DUE, last_error=error, next_try_at=next_try_at)
            )

    def release_refused(self, *, now: datetime) -> int:
        """Send and ask again what destinations refused for good; returns how many there were.

        What was replaced meanwhile stays refused.
        """
        with writing(self._engine) as connection:
            of_refused = sa.select(asked.c.delivery_id).where(asked.c.state == REFUSED)
            found = sa.select(delivery.c.id).where(delivery.c.id.in_(of_refused), ~is_replaced())
            ids = connection.scalars(found).all()
            connection.execute(
                sa.update(delivery)
                .where(delivery.c.id.in_(ids), delivery.c.state == SENT)
                .values(state=QUEUED, next_try_at=now)
            )
            changed = connection.execute(
                sa.update(asked)
                .where(asked.c.state == REFUSED, asked.c.delivery_id.in_(ids))
                .values(state=DUE, attempts=0, next_try_at=now)
            )
            return changed.rowcount

    def send_again(self, delivery_id: str, *, who: str, now: datetime) -> bool:
        """Send and ask again one delivery that its destination refused to commit for good.

        False where it did not, or where the delivery was replaced.
        """
        with writing(self._engine) as connection:
            refused = sa.select(asked.c.id).where(
                asked.c.delivery_id == delivery_id, asked.c.state == REFUSED
            )
            sent = (delivery.c.id == delivery_id) & (delivery.c.state == SENT) & ~is_replaced()
            found = connection.scalar(refused)
            queued = sa.update(delivery).where(sent).values(state=QUEUED, next_try_at=now)
            if found is None or not connection.execute(queued).rowcount:
                return False
            row = _update(connection, found, state=DUE, attempts=0, next_try_at=now)
            _audit(connection, row, "delivery.retried", now, who=who, before=SENT, after=QUEUED)
            return True

    def committed(self, asked_id: str, *, now: datetime) -> None:
        """The destination took over the responsibility for everything that was asked."""
        with writing(self._engine) as connection:
            values = {"state": COMMITTED, "last_error": "", "answered_at": now}
            before = _state(connection, asked_id)
            row = _update(connection, asked_id, **values)
            _audit(connection, row, "delivery.committed", now, before=before, after=COMMITTED)

    def refused(
        self, asked_id: str, *, reason: str, again_at: datetime | None, now: datetime
    ) -> None:
        """The destination did not commit. With `again_at` all is sent and asked once more.

        What was replaced meanwhile is not.
        """
        with writing(self._engine) as connection:
            replaced = (
                sa.select(delivery.c.id)
                .join(asked, asked.c.delivery_id == delivery.c.id)
                .where(asked.c.id == asked_id, is_replaced())
            )
            if connection.execute(replaced).first() is not None:
                again_at = None
            values: dict[str, Any] = {"last_error": reason, "answered_at": now, "state": REFUSED}
            values["attempts"] = asked.c.attempts + 1
            if again_at is not None:
                values |= {"state": DUE, "next_try_at": again_at}
            before = _state(connection, asked_id)
            row = _update(connection, asked_id, **values)
            if again_at is not None:
                connection.execute(
                    sa.update(delivery)
                    .where(delivery.c.id == row["delivery_id"], delivery.c.state == SENT)
                    .values(state=QUEUED, next_try_at=again_at)
                )
            after = row["state"]
            _audit(
                connection,
                row,
                "delivery.not_committed",
                now,
                reason=reason,
                before=before,
                after=after,
            )


def _state(connection: sa.Connection, asked_id: str) -> str | None:
    return connection.scalar(sa.select(asked.c.state).where(asked.c.id == asked_id))


def _update(connection: sa.Connection, asked_id: str, **values: Any) -> sa.RowMapping:
    same = asked.c.id == asked_id
    connection.execute(sa.update(asked).where(same).values(**values))
    return connection.execute(sa.select(asked).where(same)).mappings().one()


def _audit(
    connection: sa.Connection,
    row: sa.RowMapping,
    event: str,
    now: datetime,
    *,
    who: str = NODE,
    **detail: Any,
) -> None:
    of_delivery = sa.select(delivery.c.case_id).where(delivery.c.id == row["delivery_id"])
    audit.record(
        connection,
        who=who,
        event=event,
        now=now,
        case_id=connection.scalar(of_delivery),
        destination=row["destination"],
        transaction_uid=row["transaction_uid"],
        **detail,
    )


def _commitment(row: sa.RowMapping) -> Commitment:
    return commitment_of(row, peer=row["destination"])
