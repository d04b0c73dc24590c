"""Which structure of a case is reviewed now, and where each of them stands.

A case has the state of the structure under review. The others keep what was done on them: strokes,
approvals, deliveries. Where one stands is read from these rows when somebody turns to it, so there
is no second state that could disagree with them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit
from core.case import CaseState
from core.case_store import as_shown, fetch_case
from core.database import reading, writing
from core.delivery_store import SENT
from core.errors import CaseLockedError, TransitionError
from core.records import REVIEWED, Case
from core.review_store import last_seq, somebody_else
from core.rules import structure_under_review
from core.tables import case, correction, delivery, journal, prediction
from core.tables import review_lock as lock

APPROVED = frozenset({CaseState.APPROVED, CaseState.DELIVERED})
TURNABLE = APPROVED | {CaseState.ASSEMBLED, CaseState.PREDICTED, CaseState.IN_REVIEW}


class TurnStore:
    """The structures of a case. To turn to another one is one transaction, with its audit."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def standings(self, current: Case) -> dict[str, CaseState]:
        """Where each structure of the case's rule stands, in the order of the rule."""
        structures = () if current.routing is None else current.routing.structures
        with reading(self._engine) as connection:
            return {
                roi_name: current.state
                if structure_under_review(current, roi_name) == roi_name
                else _standing(connection, current, roi_name)
                for roi_name in structures
            }

    def turn(self, case_id: str, roi_name: str, *, who: str, now: datetime) -> Case:
        """Review another structure of the case; what was done on the present one stays.

        The lock is given back: whoever opens the case next has it. Raises `CaseLockedError` where
        somebody else has the case, `TransitionError` where its rule does not name the structure,
        where the case is closed without a structure set or has no volume, and where the present
        structure was approved and re-opened, unless it had arrived and nothing was changed since.
        """
        with writing(self._engine) as connection:
            current = fetch_case(connection, case_id)
            structures = () if current.routing is None else current.routing.structures
            if roi_name not in structures:
                raise TransitionError(
                    f"The rule of this case names {', '.join(structures) or 'no structure'}. "
                    "Choose one of them, or change the rule for cases to come."
                )
            before = structure_under_review(current, roi_name)
            if before == roi_name:
                return current
            if current.state not in TURNABLE:
                raise TransitionError(
                    f"The case is {current.state}; no other structure of it can be reviewed. "
                    "Re-open a case that was rejected first."
                )
            _require_free(connection, current, who=who, now=now)
            _require_no_open_version(connection, current, before)
            state = _standing(connection, current, roi_name)
            changes: dict[str, Any] = {
                "under_review": roi_name,
                "state": state,
                "expected_impact_gy": _expected_impact_gy(connection, current, roi_name),
                "reason": "",
                "updated_at": now,
            }
            if current.state in APPROVED:
                # What somebody has begun stays theirs.
                begun = state is CaseState.IN_REVIEW
                painter = _painter(connection, current, roi_name) if begun else None
                changes["assigned_to"] = painter or who
            connection.execute(sa.update(case).where(case.c.id == case_id).values(**changes))
            connection.execute(sa.delete(lock).where(lock.c.case_id == case_id))
            audit.record(
                connection,
                who=who,
                event="case.turned",
                now=now,
                case_id=case_id,
                before=before,
                after=roi_name,
                state=str(state),
            )
            return fetch_case(connection, case_id)


def _require_free(connection: sa.Connection, current: Case, *, who: str, now: datetime) -> None:
    held = connection.execute(sa.select(lock).where(lock.c.case_id == current.id)).first()
    other = somebody_else(connection, current, held, who=who, now=now)
    # What was approved is nobody's any more.
    if other is not None and current.state not in APPROVED:
        raise CaseLockedError(other.sentence)


def _require_no_open_version(connection: sa.Connection, current: Case, roi_name: str) -> None:
    """What was approved would count again, and could be sent, though somebody has doubts of it."""
    approved = _newest_approval(connection, current, roi_name)
    if current.state is not CaseState.IN_REVIEW or approved is None:
        return
    changed = last_seq(connection, current.id, roi_name) != approved.journal_seq
    if changed or _has_not_arrived(connection, approved.id):
        raise TransitionError(
            f"{roi_name} was re-opened. Approve it or reject the case before another structure is "
            "reviewed."
        )


def _standing(connection: sa.Connection, current: Case, roi_name: str) -> CaseState:
    approved = _newest_approval(connection, current, roi_name)
    if approved is not None:
        waits = _has_not_arrived(connection, approved.id)
        return CaseState.APPROVED if waits else CaseState.DELIVERED
    if last_seq(connection, current.id, roi_name):
        return CaseState.IN_REVIEW
    if connection.execute(_predictions(current, roi_name)).first() is not None:
        return CaseState.PREDICTED
    return CaseState.ASSEMBLED


def _has_not_arrived(connection: sa.Connection, correction_id: str) -> bool:
    waiting = sa.select(delivery.c.id).where(
        delivery.c.correction_id == correction_id, delivery.c.state != SENT
    )
    return connection.execute(waiting).first() is not None


def _newest_approval(connection: sa.Connection, current: Case, roi_name: str) -> Any:
    """Row of id and journal_seq, or None."""
    query = (
        sa.select(correction.c.id, correction.c.journal_seq)
        .where(
            correction.c.case_id == current.id,
            correction.c.roi_name == roi_name,
            correction.c.origin == REVIEWED,
        )
        .order_by(correction.c.approved_at.desc(), correction.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).first()


def _painter(connection: sa.Connection, current: Case, roi_name: str) -> str | None:
    """Whose strokes on a structure are the newest."""
    query = (
        sa.select(journal.c.made_by)
        .where(journal.c.case_id == current.id, journal.c.roi_name == roi_name)
        .order_by(journal.c.id.desc())
        .limit(1)
    )
    return connection.scalar(query)


def _predictions(current: Case, roi_name: str) -> sa.Select[Any]:
    return (
        sa.select(prediction.c.doubts)
        .where(
            prediction.c.case_id == current.id,
            prediction.c.assembly == (current.assembly or ""),
            prediction.c.roi_name == roi_name,
        )
        .order_by(*as_shown())
        .limit(1)
    )


def _expected_impact_gy(connection: sa.Connection, current: Case, roi_name: str) -> float | None:
    doubts = connection.scalar(_predictions(current, roi_name)) or {}
    by_dose: dict[str, Any] = doubts.get("dose", {})
    newest = max(by_dose, key=int, default=None)
    expected = None if newest is None else by_dose[newest].get("error_gy")
    return None if expected is None else float(expected["value"])
