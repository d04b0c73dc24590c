"""Whether corrections may be learned from: what was checked, what waits, who decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from core import audit
from core.database import reading, writing
from core.delivery_store import is_held_back
from core.errors import SecondPersonError
from core.model_tables import correction_check
from core.records import Correction, CorrectionCheck
from core.review_store import to_correction
from core.tables import correction

LET_IN, DISCARDED = "released", "discarded"


class CheckStore:
    """Rows about checks of corrections."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def due(self, roi_name: str) -> list[Correction]:
        """Corrections that nobody has checked yet and that are not held back, oldest first."""
        done = sa.exists().where(correction_check.c.correction_id == correction.c.id)
        query = (
            sa.select(correction)
            .where(correction.c.roi_name == roi_name, ~done, ~is_held_back())
            .order_by(correction.c.approved_at, correction.c.id)
        )
        with reading(self._engine) as connection:
            return [to_correction(row) for row in connection.execute(query).mappings()]

    def record(self, check: CorrectionCheck) -> None:
        """Keep what a check found; a correction is checked once."""
        with writing(self._engine) as connection:
            known = sa.select(correction_check.c.correction_id).where(
                correction_check.c.correction_id == check.correction_id
            )
            if connection.execute(known).first() is not None:
                return
            values = asdict(check) | {
                "suspicious": bool(check.suspicions),
                "suspicions": list(check.suspicions),
            }
            connection.execute(sa.insert(correction_check).values(**values))
            if check.suspicions:
                audit.record(
                    connection,
                    who="node",
                    event="correction.suspicious",
                    now=check.checked_at,
                    case_id=check.case_id,
                    correction=check.correction_id,
                    before=None,
                    after="waits",
                )

    def all(self, roi_name: str) -> list[CorrectionCheck]:
        """Every check of a structure, oldest first."""
        query = (
            sa.select(correction_check)
            .where(correction_check.c.roi_name == roi_name)
            .order_by(correction_check.c.checked_at, correction_check.c.correction_id)
        )
        with reading(self._engine) as connection:
            return [to_check(row) for row in connection.execute(query).mappings()]

    def get(self, correction_id: str) -> CorrectionCheck | None:
        """The check of one correction, None where it was not checked."""
        query = sa.select(correction_check).where(correction_check.c.correction_id == correction_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else to_check(row)

    def waiting(self, case_id: str) -> list[CorrectionCheck]:
        """What waits for a second person on one case."""
        query = sa.select(correction_check).where(
            correction_check.c.case_id == case_id, is_waiting()
        )
        with reading(self._engine) as connection:
            return [to_check(row) for row in connection.execute(query).mappings()]

    def decide(
        self, correction_id: str, *, let_in: bool, who: str, why: str, now: datetime
    ) -> None:
        """Let a suspicious correction be learned from, or discard it; audited, once for ever.

        Raises `SecondPersonError` where it does not wait, `who` approved it, or no reason is given.
        """
        with writing(self._engine) as connection:
            query = (
                sa.select(correction.c.approved_by, correction.c.case_id)
                .join(correction_check, correction_check.c.correction_id == correction.c.id)
                .where(correction.c.id == correction_id, is_waiting())
            )
            found = connection.execute(query).first()
            if found is None:
                raise SecondPersonError("This correction does not wait for anybody. Reload.")
            if found.approved_by == who:
                raise SecondPersonError(
                    "You approved this correction yourself; another account must decide whether "
                    "it is learned from."
                )
            if not why.strip():
                raise SecondPersonError("Say why: the reason is kept with the decision.")
            decision = LET_IN if let_in else DISCARDED
            connection.execute(
                sa.update(correction_check)
                .where(correction_check.c.correction_id == correction_id)
                .values(decision=decision, decided_by=who, decided_at=now, why=why.strip())
            )
            audit.record(
                connection,
                who=who,
                event=f"correction.{decision}",
                now=now,
                case_id=found.case_id,
                correction=correction_id,
                before="waits",
                after=decision,
                why=why.strip(),
            )


def may_be_learned() -> sa.ColumnElement[bool]:
    """The corrections that were checked and are not suspicious, or were let in."""
    innocent = ~correction_check.c.suspicious | (correction_check.c.decision == LET_IN)
    return sa.exists().where(correction_check.c.correction_id == correction.c.id, innocent)


def was_discarded() -> sa.ColumnElement[bool]:
    """The corrections that a second person discarded."""
    return sa.exists().where(
        correction_check.c.correction_id == correction.c.id,
        correction_check.c.decision == DISCARDED,
    )


def is_waiting() -> sa.ColumnElement[bool]:
    """The checks that a second person has still to decide on."""
    return correction_check.c.suspicious & correction_check.c.decision.is_(None)


def to_check(row: sa.RowMapping) -> CorrectionCheck:
    """A row as the record."""
    values = {name: value for name, value in row.items() if name != "suspicious"}
    return CorrectionCheck(**{**values, "suspicions": tuple(row["suspicions"])})


def suspicions_of(connection: sa.Connection, case_ids: Iterable[str]) -> dict[str, list[str]]:
    """Why what was approved on a case waits for a second person."""
    found: dict[str, list[str]] = defaultdict(list)
    query = sa.select(correction_check).where(
        correction_check.c.case_id.in_(list(case_ids)), is_waiting()
    )
    for row in connection.execute(query).mappings():
        found[row["case_id"]] += row["suspicions"]
    return found
