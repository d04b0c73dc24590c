"""Whether somebody's work stands on a case: then its volume and its prediction stay as they are."""

from __future__ import annotations

import sqlalchemy as sa

from core.records import REVIEWED
from core.tables import correction, journal


def is_touched(
    case_id: sa.ColumnElement[str] | str, roi_name: str | None = None
) -> sa.ColumnElement[bool]:
    """The cases with a stroke, and those that were approved, even without one.

    Of one structure where `roi_name` is given: its prediction stays, and its alone.
    """
    painted = sa.select(journal.c.id).where(journal.c.case_id == case_id)
    approved = sa.select(correction.c.id).where(
        correction.c.case_id == case_id, correction.c.origin == REVIEWED
    )
    if roi_name is not None:
        painted = painted.where(journal.c.roi_name == roi_name)
        approved = approved.where(correction.c.roi_name == roi_name)
    return painted.exists() | approved.exists()
