"""Which set a case belongs to, fixed for ever with what is first taught on it."""

from __future__ import annotations

import sqlalchemy as sa

from core.case import Split, next_split
from core.case_store import fetch_case
from core.tables import case, correction, journal


def assign_split(
    connection: sa.Connection, case_id: str, roi_name: str, wanted: Split | None = None
) -> Split:
    """Fix the case's set where it is not yet: as the patient's first, else `wanted`, else the rule.

    The rule counts the cases of this structure: each needs patients of its own that judge.
    """
    current = fetch_case(connection, case_id)
    if current.split is not None:
        return current.split
    contoured = sa.or_(
        *(
            sa.exists().where(table.c.case_id == case.c.id, table.c.roi_name == roi_name)
            for table in (correction, journal)
        )
    )
    query = sa.select(case.c.patient_id, case.c.split, contoured.label("contoured"))
    rows = connection.execute(query.where(case.c.split.is_not(None))).all()
    same_patient = [
        r.split for r in rows if current.patient_id and r.patient_id == current.patient_id
    ]
    if same_patient:
        split = Split(same_patient[0])
    elif wanted is not None:
        split = wanted
    else:
        counts = [r.split for r in rows if r.contoured]
        split = next_split(counts.count(Split.TRAIN), counts.count(Split.VALIDATION))
    connection.execute(sa.update(case).where(case.c.id == case_id).values(split=split))
    return split
