"""Whether a case is contoured on what is proposed, or from scratch to measure a baseline."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from core import audit
from core.case import CaseState
from core.case_store import fetch_case
from core.database import reading, writing
from core.errors import TransitionError
from core.records import ASSISTED, MANUAL, Correction, Prediction
from core.tables import case, prediction, review

UNOPENED = frozenset({CaseState.RECEIVING, CaseState.ASSEMBLED, CaseState.PREDICTED})


class ArmStore:
    """Arms of cases. A choice is audited in its transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def assign(self, case_id: str, arm: str, *, who: str, now: datetime) -> None:
        """Put a case that nobody has opened into an arm, ASSISTED or MANUAL.

        Raises `TransitionError` once it was opened: what is proposed may have been seen.
        """
        if arm not in {ASSISTED, MANUAL}:
            raise TransitionError("A case is contoured with its prediction or from scratch.")
        with writing(self._engine) as connection:
            current = fetch_case(connection, case_id)
            # Also where it was opened for another structure, or was touched by one.
            opened = sa.select(review.c.case_id).where(review.c.case_id == case_id)
            if current.state not in UNOPENED or connection.execute(opened).first() is not None:
                raise TransitionError(
                    "The case was opened already: who looked may have seen the prediction. Choose "
                    "a case that nobody has opened."
                )
            if current.arm == arm:
                return
            connection.execute(
                sa.update(case).where(case.c.id == case_id).values(arm=arm, updated_at=now)
            )
            audit.record(
                connection,
                who=who,
                event="case.arm_chosen",
                now=now,
                case_id=case_id,
                before=current.arm,
                after=arm,
            )

    def kept_from(self, approved: Correction) -> Prediction | None:
        """What was proposed, and not shown, for what was approved: the newest from before."""
        query = (
            sa.select(prediction)
            .where(
                prediction.c.case_id == approved.case_id,
                prediction.c.roi_name == approved.roi_name,
                prediction.c.assembly == approved.assembly,
                prediction.c.created_at <= approved.approved_at,
            )
            .order_by(prediction.c.created_at.desc(), prediction.c.id)
            .limit(1)
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else Prediction(**row)
