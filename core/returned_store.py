"""Structure sets that came back after delivery: what was changed, and what became of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit
from core.case import CaseState
from core.case_store import fetch_case
from core.database import reading, writing
from core.errors import TransitionError
from core.records import REVIEWED, Correction, Returned
from core.review_store import to_correction
from core.rules import is_under_review
from core.tables import correction, delivery, returned

PAST_APPROVAL = frozenset({CaseState.APPROVED, CaseState.DELIVERED})
SUPERSEDED = "A structure set that came later was taken already; this one is older."


class ReturnedStore:
    """Rows about returned structure sets."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def record(self, found: Returned, correction_made: Correction | None) -> Returned:
        """Record what came back, and the correction it becomes, in one transaction.

        The same structure set twice is the same as once. One that is older than another that was
        already recorded becomes no correction, in whatever order they were looked at. The mask
        file of the correction must be durable before.
        """
        with writing(self._engine) as connection:
            known = _row(connection, found.instance_id, found.roi_name)
            if known is not None:
                return known
            if correction_made is not None and _newer_one(connection, found):
                found, correction_made = replace(found, note=SUPERSEDED), None
            if correction_made is not None:
                _learn_from(connection, correction_made)
                found = replace(found, became=correction_made.id)
            connection.execute(sa.insert(returned).values(**_values(found)))
            return found

    def all(self, *, case_id: str | None = None) -> list[Returned]:
        """What came back, newest first; for one case where given."""
        query = sa.select(returned).order_by(returned.c.instance_id.desc(), returned.c.roi_name)
        if case_id is not None:
            query = query.where(returned.c.case_id == case_id)
        with reading(self._engine) as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def delivered(self, case_id: str) -> list[tuple[Correction, datetime | None]]:
        """What was approved on the review page, and when it was first accepted by a destination."""
        first_sent = sa.select(sa.func.min(delivery.c.sent_at)).where(
            delivery.c.correction_id == correction.c.id
        )
        query = sa.select(correction, first_sent.scalar_subquery().label("first_sent")).where(
            correction.c.case_id == case_id, correction.c.origin == REVIEWED
        )
        found = []
        with reading(self._engine) as connection:
            for row in connection.execute(query).mappings():
                values = {name: value for name, value in row.items() if name != "first_sent"}
                found.append((to_correction(values), row["first_sent"]))
        return found

    def newest_correction(self, case_id: str, roi_name: str) -> Correction:
        """What a case teaches now: approved here, or what came back since."""
        query = (
            sa.select(correction)
            .where(correction.c.case_id == case_id, correction.c.roi_name == roi_name)
            .order_by(correction.c.approved_at.desc(), correction.c.id.desc())
            .limit(1)
        )
        with reading(self._engine) as connection:
            return to_correction(connection.execute(query).mappings().one())


def _learn_from(connection: sa.Connection, made: Correction) -> None:
    current = fetch_case(connection, made.case_id)
    # Whoever reviews another structure of the case has left this one approved.
    if is_under_review(current, made.roi_name) and current.state not in PAST_APPROVAL:
        raise TransitionError(
            f"The case is {current.state}; only a delivered structure set can come back as a "
            "correction."
        )
    values = {name: getattr(made, name) for name in correction.c.keys()}  # noqa: SIM118
    values["slices_seen"] = list(made.slices_seen)
    connection.execute(sa.insert(correction).values(**values))
    audit.record(
        connection,
        who=made.approved_by,
        event="correction.returned",
        now=made.approved_at,
        case_id=made.case_id,
        correction=made.id,
        mask=made.mask_digest,
    )


def _newer_one(connection: sa.Connection, found: Returned) -> bool:
    newer = sa.select(returned.c.id).where(
        returned.c.case_id == found.case_id,
        returned.c.roi_name == found.roi_name,
        returned.c.instance_id > found.instance_id,
        returned.c.note == "",
    )
    return connection.execute(newer).first() is not None


def _row(connection: sa.Connection, instance_id: int, roi_name: str) -> Returned | None:
    query = sa.select(returned).where(
        returned.c.instance_id == instance_id, returned.c.roi_name == roi_name
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else _record(row)


def _record(row: sa.RowMapping) -> Returned:
    return Returned(**{name: value for name, value in row.items() if name != "id"})


def _values(found: Returned) -> dict[str, Any]:
    return {name: getattr(found, name) for name in returned.c.keys() if name != "id"}  # noqa: SIM118
