"""What approved contours mean for the dose, against what was proposed and what the TPS had."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from core.case_store import PREDICTION, REFERENCE
from core.database import reading, writing
from core.delivery_store import is_held_back
from core.dose_records import Difference
from core.dose_store import WITH_FIGURES
from core.dose_tables import difference
from core.instance_store import STRUCTURE_SET
from core.records import REVIEWED
from core.tables import attachment, case, correction


@dataclass(frozen=True, slots=True)
class DifferenceDue:
    """An approved contour, another one of the same structure, and a dose under both."""

    correction_id: str
    against: str
    against_id: str
    dose_instance_id: int


class DifferenceStore:
    """Rows about differences: never changed, added to."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def due(self, edition: int) -> list[DifferenceDue]:
        """What `edition` has to measure, whenever contours and doses came; none that is held."""
        drawn = attachment.alias()
        of_the_tps = sa.cast(drawn.c.instance_id, sa.String(64))
        approved = (
            sa.select(correction.c.id, sa.literal(PREDICTION), correction.c.prediction_id).where(
                correction.c.prediction_id.is_not(None)
            ),
            sa.select(correction.c.id, sa.literal(REFERENCE), of_the_tps).join(
                drawn,
                (drawn.c.case_id == correction.c.case_id)
                & (drawn.c.kind == STRUCTURE_SET)
                & (drawn.c.note == correction.c.roi_name),
            ),
        )
        found: list[DifferenceDue] = []
        with reading(self._engine) as connection:
            for pairs, other in zip(
                approved, (correction.c.prediction_id, of_the_tps), strict=True
            ):
                known = sa.exists().where(
                    difference.c.correction_id == correction.c.id,
                    difference.c.against_id == other,
                    difference.c.dose_instance_id == attachment.c.instance_id,
                    difference.c.edition == edition,
                )
                query = (
                    pairs.add_columns(attachment.c.instance_id)
                    .join(
                        case,
                        (case.c.id == correction.c.case_id)
                        & (case.c.assembly == correction.c.assembly),
                    )
                    .join(attachment, attachment.c.case_id == case.c.id)
                    .where(
                        attachment.c.kind.in_(WITH_FIGURES),
                        correction.c.origin == REVIEWED,
                        ~known,
                        ~is_held_back(),
                    )
                )
                found += [DifferenceDue(*row) for row in connection.execute(query)]
        return found

    def add(self, measured: Difference) -> None:
        """Keep what was measured; what is there already stays as it was."""
        values = {name: getattr(measured, name) for name in difference.c.keys()}  # noqa: SIM118
        key = [column == values[column.name] for column in difference.primary_key.columns]
        with writing(self._engine) as connection:
            if connection.execute(sa.select(difference.c.edition).where(*key)).first() is None:
                connection.execute(sa.insert(difference).values(**values))

    def of(self, correction_id: str, dose_instance_id: int) -> list[Difference]:
        """What the newest edition measured of an approved contour on a dose."""
        query = (
            sa.select(difference)
            .where(
                difference.c.correction_id == correction_id,
                difference.c.dose_instance_id == dose_instance_id,
            )
            .order_by(difference.c.edition, difference.c.against, difference.c.against_id)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return list({row["against_id"]: Difference(**row) for row in rows}.values())
