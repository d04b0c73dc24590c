"""What peers asked us to commit, and whether they have our report (PS3.4 Annex J, as SCP)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from core import audit
from core.case_store import NODE
from core.commitments import Commitment, Reference, as_json, commitment_of
from core.database import reading, writing
from core.tables import commitment_owed as owed
from core.tables import instance

# A report is OWED until the peer took it.
OWED, REPORTED = "OWED", "REPORTED"


class OwedStore:
    """Rows of what is owed; they are the outbox of reports."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def owe(
        self,
        transaction_uid: str,
        references: Sequence[Reference],
        *,
        calling_ae_title: str,
        now: datetime,
        report_at: datetime,
    ) -> str:
        """Write down that the caller is owed a report from `report_at` on; returns the row's id.

        The same transaction again means that the caller has not heard: it is owed anew.
        """
        same = (owed.c.calling_ae_title == calling_ae_title) & (
            owed.c.transaction_uid == transaction_uid
        )
        values = {"state": OWED, "next_try_at": report_at, "objects": as_json(references)}
        with writing(self._engine) as connection:
            row_id = connection.scalar(sa.select(owed.c.id).where(same))
            if row_id is not None:
                connection.execute(sa.update(owed).where(same).values(**values))
                return str(row_id)
            row_id = uuid.uuid4().hex
            connection.execute(
                sa.insert(owed).values(
                    id=row_id,
                    transaction_uid=transaction_uid,
                    calling_ae_title=calling_ae_title,
                    attempts=0,
                    last_error="",
                    created_at=now,
                    **values,
                )
            )
            audit.record(
                connection,
                who=calling_ae_title,
                event="commitment.requested",
                now=now,
                transaction_uid=transaction_uid,
                instances=len(references),
            )
            return row_id

    def get(self, owed_id: str) -> Commitment:
        """What a peer asked of us."""
        with reading(self._engine) as connection:
            query = sa.select(owed).where(owed.c.id == owed_id)
            return _commitment(connection.execute(query).mappings().one())

    def due(self, *, now: datetime) -> list[Commitment]:
        """Reports whose next try has come, oldest first."""
        query = (
            sa.select(owed)
            .where(owed.c.state == OWED, owed.c.next_try_at <= now)
            .order_by(owed.c.created_at)
        )
        with reading(self._engine) as connection:
            return [_commitment(row) for row in connection.execute(query).mappings()]

    def missing_beside(self, series_instance_uid: str) -> int:
        """How many instances of its kind a sender named beside this series that never came.

        A sender that asks to commit what it pushed names all of it: what is not here was lost on
        the way, though it may have been of another series.
        """
        with reading(self._engine) as connection:
            of_series = sa.select(
                instance.c.sop_instance_uid, instance.c.sop_class_uid, instance.c.received_at
            ).where(instance.c.series_instance_uid == series_instance_uid)
            here = connection.execute(of_series).all()
            if not here:
                return 0
            uids, kinds = {row[0] for row in here}, {row[1] for row in here}
            since = min(row[2] for row in here)
            named: set[str] = set()
            for objects in connection.scalars(
                sa.select(owed.c.objects).where(owed.c.created_at >= since)
            ):
                request = {o["sop_instance_uid"] for o in objects if o["sop_class_uid"] in kinds}
                named |= request if request & uids else set()
            return len(named - _known(connection, sorted(named - uids)) - uids)

    def reported(self, owed_id: str, *, failed: int, now: datetime) -> None:
        """The caller took our report; `failed` counts the instances that are not committed."""
        with writing(self._engine) as connection:
            same = owed.c.id == owed_id
            before = connection.scalar(sa.select(owed.c.state).where(same))
            connection.execute(
                sa.update(owed)
                .where(same)
                .values(
                    state=REPORTED,
                    last_error="",
                    reported_at=now,
                    attempts=owed.c.attempts + 1,
                )
            )
            row = connection.execute(sa.select(owed).where(same)).mappings().one()
            audit.record(
                connection,
                who=NODE,
                event="commitment.reported",
                now=now,
                to=row["calling_ae_title"],
                transaction_uid=row["transaction_uid"],
                instances=len(row["objects"]),
                failed=failed,
                before=before,
                after=REPORTED,
            )

    def report_failed(self, owed_id: str, *, error: str, next_try_at: datetime) -> None:
        """The caller did not take our report; when the next try is."""
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(owed)
                .where(owed.c.id == owed_id)
                .values(
                    attempts=owed.c.attempts + 1,
                    last_error=error,
                    next_try_at=next_try_at,
                )
            )


def _known(connection: sa.Connection, uids: Sequence[str]) -> set[str]:
    query = sa.select(instance.c.sop_instance_uid).where(instance.c.sop_instance_uid.in_(uids))
    return set(connection.scalars(query))


def _commitment(row: sa.RowMapping) -> Commitment:
    return commitment_of(row, peer=row["calling_ae_title"])
