"""In which arm a new case is contoured."""

from __future__ import annotations

import sqlalchemy as sa

from core.records import MANUAL, Case, Routing
from core.rules import FOR_TRAINING
from core.tables import case


def arm_of(
    connection: sa.Connection, current: Case, routing: Routing | None, manual_every: int
) -> str:
    """The arm of a case that is being assembled: each n-th new one of its structure is MANUAL.

    What was imported is nobody's work: it has no turn, and does not count.
    """
    if not manual_every or current.assembly is not None:
        return current.arm
    if routing is None or routing.rule == FOR_TRAINING:
        return current.arm
    before = sa.select(sa.func.count()).where(
        case.c.assembly.is_not(None),
        case.c.routing["rule"].as_string() != FOR_TRAINING,
        case.c.routing[("structures", 0)].as_string() == routing.structures[0],
    )
    number = (connection.scalar(before) or 0) + 1
    return MANUAL if number % manual_every == 0 else current.arm
