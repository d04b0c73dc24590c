"""In which arm a new case is contoured."""

from __future__ import annotations

import sqlalchemy as sa

from core.records import MANUAL, Case
from core.tables import case


def arm_of(connection: sa.Connection, current: Case, manual_every: int) -> str:
    """The arm of a case that is being assembled: each n-th new one is MANUAL."""
    if not manual_every or current.assembly is not None:
        return current.arm
    before = sa.select(sa.func.count()).where(case.c.assembly.is_not(None))
    number = (connection.scalar(before) or 0) + 1
    return MANUAL if number % manual_every == 0 else current.arm
