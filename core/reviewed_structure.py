"""Which structure of a case is reviewed now, as the database knows it (see `core.rules`)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from core.tables import case


def reviewed_structure(of: sa.FromClause = case) -> sa.ColumnElement[Any]:
    """Its name; NULL where no rule has decided for the case yet."""
    first = of.c.routing[("structures", 0)].as_string()
    return sa.func.coalesce(of.c.under_review, first)
