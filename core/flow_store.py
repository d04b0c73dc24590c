"""What becomes of a review besides an approval: taken back, rejected, passed on, re-opened."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core import audit
from core.case import CaseState
from core.case_store import CORRECTION, fetch_case, move
from core.database import reading, writing
from core.delivery_store import HELD, SENT, is_held_back, is_replaced
from core.errors import NoReasonError, TransitionError
from core.observation_store import is_asked_for
from core.records import REVIEWED, Case, Correction
from core.review_store import require_lock, require_under_review
from core.tables import case, correction, delivery, dose_figure, observation, returned
from core.tables import review_lock as lock

LONGEST_REASON = 500


class FlowStore:
    """Ways of a case that people choose. Each is one transaction, with its audit."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def take_back(
        self, case_id: str, roi_name: str, *, who: str, tab: str, now: datetime, lock_s: float
    ) -> Case:
        """Undo an approval of which nothing has left: the case is in review again, in this tab.

        The journal is as it was. The approval and its deliveries are gone but for the audit, so
        nothing can be sent of them or learned from them. Raises `TransitionError` once the first
        delivery has begun.
        """
        with writing(self._engine) as connection:
            require_under_review(connection, case_id, roi_name)
            found = connection.execute(_newest(case_id, roi_name, is_held_back())).first()
            left = None if found is None else _left(connection, found.id)
            if found is None or left:
                raise TransitionError(
                    "The hold is over: the structure set may have left the node. Re-open the case "
                    "as a new version."
                )
            move(
                connection,
                case_id,
                CaseState.IN_REVIEW,
                who=who,
                now=now,
                taken_back=found.id,
                roi_name=roi_name,
                mask=found.mask_digest,
            )
            of_approval = delivery.c.correction_id == found.id
            taken = sa.select(delivery.c.destination, delivery.c.state).where(of_approval)
            for destination, state in connection.execute(taken.order_by("destination")).all():
                audit.record(
                    connection,
                    who=who,
                    event="delivery.undone",
                    now=now,
                    case_id=case_id,
                    destination=destination,
                    roi_name=roi_name,
                    before=state,
                    after=None,
                )
            connection.execute(sa.delete(delivery).where(of_approval))
            connection.execute(
                sa.delete(dose_figure).where(
                    dose_figure.c.source == CORRECTION, dose_figure.c.source_id == found.id
                )
            )
            # It was compared with what never left.
            connection.execute(sa.delete(returned).where(returned.c.compared_with == found.id))
            connection.execute(sa.delete(correction).where(correction.c.id == found.id))
            expires = now + timedelta(seconds=lock_s)
            connection.execute(sa.delete(lock).where(lock.c.case_id == case_id))
            connection.execute(
                sa.insert(lock).values(case_id=case_id, holder=who, tab=tab, expires_at=expires)
            )
            return fetch_case(connection, case_id)

    def reject(
        self, case_id: str, roi_name: str, *, who: str, tab: str, reason: str, now: datetime
    ) -> None:
        """Close a case without a structure set of `roi_name`, and say why; the journal stays.

        Raises `NoReasonError` without a reason, `CaseLockedError` unless this tab has the case,
        `TransitionError` while what was approved of another structure is still on its way: whoever
        rejects a scan must not find that it was sent a moment later.
        """
        why = _required(reason)
        with writing(self._engine) as connection:
            require_lock(connection, case_id, who=who, tab=tab)
            require_under_review(connection, case_id, roi_name)
            other = connection.scalar(_on_its_way(case_id, correction.c.roi_name != roi_name))
            if other is not None:
                raise TransitionError(
                    f"{other} of this case was approved and has not arrived yet. Turn to it and "
                    "undo the approval, or wait until it has arrived; then reject."
                )
            move(connection, case_id, CaseState.REJECTED, who=who, now=now, reason=why)
            told = f"Rejected by {who}: {why}"
            connection.execute(sa.update(case).where(case.c.id == case_id).values(reason=told))
            connection.execute(sa.delete(lock).where(lock.c.case_id == case_id))

    def pass_on(self, case_id: str, *, who: str, tab: str, to: str, now: datetime) -> None:
        """Give the case, as it stands, to another account.

        Raises `CaseLockedError` unless this tab has the case, `TransitionError` where it is hidden
        from the other.
        """
        hidden = sa.select(observation.c.id).where(
            observation.c.case_id == case_id, observation.c.observer == to, is_asked_for()
        )
        with writing(self._engine) as connection:
            require_lock(connection, case_id, who=who, tab=tab)
            before = fetch_case(connection, case_id).assigned_to
            if connection.execute(hidden).first() is not None:
                raise TransitionError(
                    f"{to} contours this case as a second observer and must not see it. Pass it on "
                    "to somebody else."
                )
            connection.execute(
                sa.update(case).where(case.c.id == case_id).values(assigned_to=to, updated_at=now)
            )
            connection.execute(sa.delete(lock).where(lock.c.case_id == case_id))
            audit.record(
                connection,
                who=who,
                event="case.passed_on",
                now=now,
                case_id=case_id,
                before=before or None,
                after=to,
            )

    def reopen(self, case_id: str, roi_name: str, *, who: str, reason: str, now: datetime) -> Case:
        """Take up again what was delivered or rejected; what left stays what it is.

        What was approved may be re-opened when none of its deliveries is still on its way. The next
        approval is a structure set of its own. Raises `NoReasonError` without a reason,
        `TransitionError` where the case's state does not permit it.
        """
        why = _required(reason)
        with writing(self._engine) as connection:
            require_under_review(connection, case_id, roi_name)
            if fetch_case(connection, case_id).state is CaseState.APPROVED:
                moving = _on_its_way(case_id, correction.c.roi_name == roi_name)
                if connection.execute(moving.where(delivery.c.state != HELD)).first() is not None:
                    raise TransitionError(
                        "The structure set is still on its way. Take the approval back while it "
                        "is held, or wait until it has arrived."
                    )
            move(connection, case_id, CaseState.IN_REVIEW, who=who, now=now, reason=why)
            connection.execute(
                sa.update(case).where(case.c.id == case_id).values(reason="", assigned_to=who)
            )
            return fetch_case(connection, case_id)

    def version_of(self, approved: Correction) -> int:
        """Which approval of its structure this is: 1, or more where the case was re-opened."""
        with reading(self._engine) as connection:
            return len(connection.execute(_approved_before(approved)).all()) + 1

    def predecessor_of(self, approved: Correction) -> str | None:
        """Id of the approval that this one replaces; None where it is the first."""
        with reading(self._engine) as connection:
            found: str | None = connection.scalar(_approved_before(approved).limit(1))
            return found


def _newest(case_id: str, roi_name: str, condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        sa.select(correction.c.id, correction.c.mask_digest)
        .where(
            correction.c.case_id == case_id,
            correction.c.roi_name == roi_name,
            correction.c.origin == REVIEWED,
            condition,
        )
        .order_by(correction.c.approved_at.desc(), correction.c.id.desc())
        .limit(1)
    )


def _left(connection: sa.Connection, correction_id: str) -> bool:
    begun = sa.select(delivery.c.id).where(
        delivery.c.correction_id == correction_id, delivery.c.begun_at.is_not(None)
    )
    return connection.execute(begun).first() is not None


def _on_its_way(case_id: str, which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Structures of a case of which an approval that counts has not arrived everywhere."""
    return (
        sa.select(correction.c.roi_name)
        .join(delivery, delivery.c.correction_id == correction.c.id)
        .where(delivery.c.case_id == case_id, which, delivery.c.state != SENT, ~is_replaced())
        .order_by(correction.c.roi_name)
        .limit(1)
    )


def _approved_before(approved: Correction) -> sa.Select[Any]:
    """Ids of what was approved earlier of the same structure, the newest first."""
    return (
        sa.select(correction.c.id)
        .where(
            correction.c.case_id == approved.case_id,
            correction.c.roi_name == approved.roi_name,
            correction.c.origin == REVIEWED,
            correction.c.approved_at < approved.approved_at,
        )
        .order_by(correction.c.approved_at.desc(), correction.c.id.desc())
    )


def _required(reason: str) -> str:
    why = reason.strip()[:LONGEST_REASON]
    if not why:
        raise NoReasonError("Say why: the reason is kept with the case.")
    return why
