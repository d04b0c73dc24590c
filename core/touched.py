"""Whether somebody's work stands on a case: then its volume and its prediction stay as they are."""

from __future__ import annotations

import sqlalchemy as sa

from core.records import REVIEWED
from core.tables import correction, journal


def is_touched(case_id: sa.ColumnElement[str] | str) -> sa.ColumnElement[bool]:
    """The cases with a stroke, and those that were approved, even without one."""
    painted = sa.exists().where(journal.c.case_id == case_id)
    approved = sa.exists().where(correction.c.case_id == case_id, correction.c.origin == REVIEWED)
    return painted | approved
