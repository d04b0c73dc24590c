"""The structures that the store holds corrections or models of, configured or not."""

from __future__ import annotations

import sqlalchemy as sa

from core.database import reading
from core.model_tables import model_version
from core.tables import correction


def kept_structures(engine: sa.Engine) -> tuple[str, ...]:
    """Their names as the store knows them, sorted."""
    query = sa.union(sa.select(correction.c.roi_name), sa.select(model_version.c.roi_name))
    with reading(engine) as connection:
        return tuple(sorted(connection.scalars(query)))
