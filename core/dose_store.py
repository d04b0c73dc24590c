"""Doses and plans that joined a case, and which dose is which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from core.database import reading, writing
from core.plans import DoseOrigin, Plan
from core.records import Case
from core.tables import attachment, case
from core.tps_dvh import TpsDvhs

# Kinds of attachment: the dose of a whole plan; of a part of one, shown and never taken for the
# whole; of beams, which counts when all of them are there; a plan.
WHOLE_DOSE, DOSE_PART, BEAM_DOSE, PLAN_KIND = "dose", "dose_part", "beam_dose", "plan"
WITH_FIGURES = (WHOLE_DOSE, DOSE_PART)

# The note of a beam dose that nothing else has been said of yet.
BEAM_WAITS = (
    "Dose Summation Type (3004,000A) is BEAM; it counts as part of its plan's dose, once the RT "
    "Plan and the doses of all its beams are there."
)


@dataclass(frozen=True, slots=True)
class JoinedDose:
    """A dose on a case. `origin` is None for one that joined before origins were recorded.

    `waits` says that it is the dose of beams and that more may come.
    """

    instance_id: int
    kind: str
    origin: DoseOrigin | None
    waits: bool = False

    def words(self, plans: Sequence[Plan]) -> str:
        """The plan and its prescription, for people."""
        return "Plan not recorded" if self.origin is None else self.origin.words(plans)


class DoseStore:
    """Rows about doses and plans of cases."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def plans(self, case_id: str) -> list[Plan]:
        """The plans that joined a case, oldest first."""
        rows = self._rows(case_id, (PLAN_KIND,))
        return [Plan.from_json(row["detail"]) for row in rows if row["detail"] is not None]

    def joined(self, case_id: str) -> list[JoinedDose]:
        """The doses that joined a case, oldest first, parts of a plan among them."""
        return [
            JoinedDose(
                row["instance_id"],
                row["kind"],
                None if row["detail"] is None else DoseOrigin.from_json(row["detail"]),
                waits=row["kind"] == BEAM_DOSE and row["note"] == BEAM_WAITS,
            )
            for row in self._rows(case_id, (WHOLE_DOSE, DOSE_PART, BEAM_DOSE))
        ]

    def primary(self, case_id: str) -> JoinedDose | None:
        """The dose that the page's figures are about: of the doses of whole plans the newest."""
        whole = [dose for dose in self.joined(case_id) if dose.kind == WHOLE_DOSE]
        return whole[-1] if whole else None

    def dvhs(self, case_id: str, instance_id: int) -> TpsDvhs | None:
        """What the TPS's own DVHs beside a dose say; None where it brought none."""
        rows = self._rows(case_id, WITH_FIGURES)
        detail = next((row["detail"] for row in rows if row["instance_id"] == instance_id), None)
        said = None if detail is None else detail.get("dvhs")
        return None if said is None else TpsDvhs.from_json(said)

    def cases_with_waiting_beams(self) -> list[str]:
        """Cases with a beam dose that waits for its plan or for other beams."""
        query = (
            sa.select(attachment.c.case_id)
            .where(attachment.c.kind == BEAM_DOSE, attachment.c.note == BEAM_WAITS)
            .distinct()
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(query))

    def summed(self, current: Case, members: Sequence[int], origin: DoseOrigin) -> bool:
        """Make the last of the BEAM doses `members` stand for their sum, the dose of the plan.

        False, and nothing changes, when the case was assembled anew in between.
        """
        mine = (attachment.c.case_id == current.id) & attachment.c.instance_id.in_(members)
        with writing(self._engine) as connection:
            assembly = connection.scalar(sa.select(case.c.assembly).where(case.c.id == current.id))
            if assembly != current.assembly:
                return False
            connection.execute(sa.update(attachment).where(mine).values(note=""))
            connection.execute(
                sa.update(attachment)
                .where(mine, attachment.c.instance_id == max(members))
                .values(kind=WHOLE_DOSE, detail=origin.to_json())
            )
            return True

    def note(self, case_id: str, members: Sequence[int], note: str) -> None:
        """Say of doses why they are not used as they are."""
        mine = (attachment.c.case_id == case_id) & attachment.c.instance_id.in_(members)
        with writing(self._engine) as connection:
            connection.execute(sa.update(attachment).where(mine).values(note=note))

    def _rows(self, case_id: str, kinds: Sequence[str]) -> Sequence[sa.RowMapping]:
        columns = (attachment.c.instance_id, attachment.c.kind, attachment.c.note)
        query = (
            sa.select(*columns, attachment.c.detail)
            .where(attachment.c.case_id == case_id, attachment.c.kind.in_(kinds))
            .order_by(attachment.c.instance_id)
        )
        with reading(self._engine) as connection:
            return connection.execute(query).mappings().all()
