"""What corrections changed of their predictions: once for each edition, never overwritten."""

from __future__ import annotations

import sqlalchemy as sa

from core.database import reading, writing
from core.delivery_store import is_held_back
from core.model_tables import change
from core.records import REVIEWED, Change
from core.tables import correction


class ChangeStore:
    """Rows about what was changed."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def due(self, edition: int) -> list[str]:
        """Ids of corrections of a prediction that `edition` has to measure, the newest first.

        None that is held.
        """
        known = sa.exists().where(
            change.c.correction_id == correction.c.id, change.c.edition == edition
        )
        query = (
            sa.select(correction.c.id)
            .where(
                correction.c.origin == REVIEWED,
                correction.c.prediction_id.is_not(None),
                ~known,
                ~is_held_back(),
            )
            .order_by(correction.c.approved_at.desc(), correction.c.id)
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(query))

    def add(self, measured: Change) -> None:
        """Keep what was measured; what is there already stays as it was."""
        values = {name: getattr(measured, name) for name in change.c.keys()}  # noqa: SIM118
        same = (change.c.correction_id == measured.correction_id) & (
            change.c.edition == measured.edition
        )
        with writing(self._engine) as connection:
            if connection.execute(sa.select(change.c.edition).where(same)).first() is None:
                connection.execute(sa.insert(change).values(**values))

    def newest(self) -> dict[str, Change]:
        """What the newest edition measured of each correction, by the correction's id."""
        query = sa.select(change).order_by(change.c.edition)
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return {row["correction_id"]: Change(**row) for row in rows}
