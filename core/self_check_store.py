"""Our dose figures beside those of the TPS: what is due, and what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from core.database import reading, writing
from core.dose_records import SelfCheck
from core.dose_store import WITH_FIGURES
from core.dose_tables import self_check
from core.instance_store import STRUCTURE_SET
from core.records import RETURNED
from core.tables import attachment, case, instance


@dataclass(frozen=True, slots=True)
class CheckDue:
    """A dose with DVHs and the structure set they name, met on one volume of a case."""

    case_id: str
    assembly: str
    dose_instance_id: int
    structure_instance_id: int


class SelfCheckStore:
    """Rows about our figures and the TPS's: never changed, added to."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def due(self, basis: str) -> list[CheckDue]:
        """What has met and was not judged on this basis, whichever of both came first."""
        drawn = attachment.alias()
        known = sa.exists().where(
            self_check.c.case_id == case.c.id,
            self_check.c.dose_instance_id == attachment.c.instance_id,
            self_check.c.structure_instance_id == drawn.c.instance_id,
            self_check.c.assembly == case.c.assembly,
            self_check.c.basis == basis,
        )
        # A sum of beams stands in the place of a dose and has no DVHs of its own.
        named = attachment.c.detail["dvhs"]["structure_set_uid"].as_string()
        query = (
            sa.select(case.c.id, case.c.assembly, attachment.c.instance_id, drawn.c.instance_id)
            .join(attachment, attachment.c.case_id == case.c.id)
            .join(drawn, drawn.c.case_id == case.c.id)
            .join(instance, instance.c.id == drawn.c.instance_id)
            .where(
                attachment.c.kind.in_(WITH_FIGURES),
                drawn.c.kind.in_((STRUCTURE_SET, RETURNED)),
                case.c.assembly.is_not(None),
                ~known,
                named == instance.c.sop_instance_uid,
            )
            .order_by(attachment.c.instance_id, drawn.c.instance_id)
        )
        with reading(self._engine) as connection:
            return [CheckDue(*row) for row in connection.execute(query)]

    def add(self, judged: SelfCheck) -> None:
        """Keep what was judged; what is there already stays as it was."""
        values = {name: getattr(judged, name) for name in SelfCheck.__dataclass_fields__}
        key = ("case_id", "assembly", "dose_instance_id", "structure_instance_id", "basis")
        same = sa.and_(*(self_check.c[name] == values[name] for name in key))
        with writing(self._engine) as connection:
            if connection.execute(sa.select(self_check.c.id).where(same)).first() is None:
                connection.execute(sa.insert(self_check).values(**values))

    def newest(self, case_id: str) -> list[SelfCheck]:
        """What was judged last of each dose and structure set that stand on the case now."""
        with reading(self._engine) as connection:
            rows = connection.execute(_standing([case_id])).mappings().all()
        newest = {(row["dose_instance_id"], row["structure_instance_id"]): row for row in rows}
        return [
            SelfCheck(**{name: value for name, value in row.items() if name != "id"})
            for row in newest.values()
        ]

    def deviations(self, case_id: str) -> list[str]:
        """What differs on a case now, one sentence for each dose and structure set."""
        with reading(self._engine) as connection:
            return standing(connection, [case_id]).get(case_id, [])


def standing(connection: sa.Connection, case_ids: Sequence[str]) -> dict[str, list[str]]:
    """What differs on each of these cases now, by case id."""
    rows = connection.execute(_standing(case_ids)).mappings()
    newest = {
        (row["case_id"], row["dose_instance_id"], row["structure_instance_id"]): row["words"]
        for row in rows
    }
    found: dict[str, list[str]] = {}
    for (case_id, _, _), words in newest.items():
        if words:
            found.setdefault(case_id, []).append(words)
    return found


def _standing(case_ids: Sequence[str]) -> sa.Select[tuple[object, ...]]:
    """Rows about the volume that a case has now, oldest first."""
    return (
        sa.select(self_check)
        .join(
            case, (case.c.id == self_check.c.case_id) & (case.c.assembly == self_check.c.assembly)
        )
        .where(self_check.c.case_id.in_(case_ids))
        .order_by(self_check.c.id)
    )
