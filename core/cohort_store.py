"""What was approved of a structure, over all cases: one query a table, however many there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from core.database import reading, writing
from core.delivery_store import is_held_back
from core.dose_store import WHOLE_DOSE
from core.instance_store import STRUCTURE_SET
from core.model_tables import approved_figure
from core.records import REVIEWED, Correction, DoseFigure
from core.review_store import to_correction
from core.tables import attachment, case, correction, dose_figure, prediction


@dataclass(frozen=True, slots=True)
class ApprovedFigure:
    """The volume that was approved, and the Dice of a contour by hand with both contours.

    By hand: that of the TPS (`reference_id`, 0: there is none), or the approved one of the arm
    MANUAL, which is held against what was proposed and not shown.
    """

    correction_id: str
    reference_id: int
    volume_cc: float
    predicted_dice: float | None
    corrected_dice: float | None


@dataclass(slots=True)
class Reviewed:
    """A case with its approvals, oldest first; the rest is about the last of them.

    `doses` are figures on the dose that came last of whole plans, by source and its id; `figure` is
    None until the worker has measured it.
    """

    case_id: str
    arm: str
    approvals: list[Correction] = field(default_factory=list)
    model_version: str | None = None
    doses: dict[tuple[str, str], DoseFigure] = field(default_factory=dict)
    figure: ApprovedFigure | None = None


class CohortStore:
    """Reads across the cases that were reviewed, and the figures that are measured for them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def reviewed(self, roi_name: str) -> list[Reviewed]:
        """The cases whose `roi_name` was approved here, in the order of their first approval."""
        with reading(self._engine) as connection:
            found = _approvals(connection, roi_name)
            for figure in _figures_on_the_last_dose(connection, roi_name):
                if figure.case_id in found:
                    source = (figure.source, figure.source_id)
                    found[figure.case_id].doses[source] = figure
            measured = _measured(connection, roi_name)
        for one in found.values():
            one.figure = measured.get(one.approvals[-1].id)
        return list(found.values())

    def due(self) -> list[tuple[str, int]]:
        """Approvals to measure, the newest first, with the reference to hold them against (or 0).

        None that is held back.
        """
        newest = (
            sa.select(sa.func.coalesce(sa.func.max(attachment.c.instance_id), 0))
            .where(
                attachment.c.case_id == correction.c.case_id,
                attachment.c.kind == STRUCTURE_SET,
                attachment.c.note == correction.c.roi_name,
            )
            .correlate(correction)
            .scalar_subquery()
        )
        known = sa.exists().where(
            approved_figure.c.correction_id == correction.c.id,
            approved_figure.c.reference_id == newest,
        )
        query = (
            sa.select(correction.c.id, newest)
            .where(correction.c.origin == REVIEWED, ~known, ~is_held_back())
            .order_by(correction.c.approved_at.desc(), correction.c.id)
        )
        with reading(self._engine) as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def measured(self, figure: ApprovedFigure) -> None:
        """Keep the figures of an approval; what is there already stays as it was."""
        values = {name: getattr(figure, name) for name in approved_figure.c.keys()}  # noqa: SIM118
        same = [column == values[column.name] for column in approved_figure.primary_key.columns]
        known = sa.select(approved_figure.c.volume_cc).where(*same)
        with writing(self._engine) as connection:
            if connection.execute(known).first() is None:
                connection.execute(sa.insert(approved_figure).values(**values))


def _approvals(connection: sa.Connection, roi_name: str) -> dict[str, Reviewed]:
    query = (
        sa.select(correction, case.c.arm, prediction.c.model_version)
        .join(case, case.c.id == correction.c.case_id)
        .outerjoin(prediction, prediction.c.id == correction.c.prediction_id)
        .where(correction.c.roi_name == roi_name, correction.c.origin == REVIEWED)
        .order_by(correction.c.approved_at, correction.c.id)
    )
    found: dict[str, Reviewed] = {}
    for mapping in connection.execute(query).mappings():
        row = dict(mapping)
        arm, version = row.pop("arm"), row.pop("model_version")
        one = found.setdefault(row["case_id"], Reviewed(row["case_id"], arm))
        one.approvals.append(to_correction(row))
        one.model_version = version
    return found


def _figures_on_the_last_dose(connection: sa.Connection, roi_name: str) -> Iterable[DoseFigure]:
    last = (
        sa.select(attachment.c.case_id, sa.func.max(attachment.c.instance_id).label("id"))
        .where(attachment.c.kind == WHOLE_DOSE)
        .group_by(attachment.c.case_id)
        .subquery()
    )
    query = (
        sa.select(dose_figure)
        .join(
            last,
            (last.c.case_id == dose_figure.c.case_id)
            & (last.c.id == dose_figure.c.dose_instance_id),
        )
        .where(dose_figure.c.roi_name == roi_name)
    )
    for row in connection.execute(query).mappings():
        yield DoseFigure(**{name: value for name, value in row.items() if name != "id"})


def _measured(connection: sa.Connection, roi_name: str) -> dict[str, ApprovedFigure]:
    query = (
        sa.select(approved_figure)
        .join(correction, correction.c.id == approved_figure.c.correction_id)
        .where(correction.c.roi_name == roi_name)
        .order_by(approved_figure.c.reference_id)
    )
    # The figures with the newest structure set are the last.
    rows = connection.execute(query).mappings()
    return {row["correction_id"]: ApprovedFigure(**row) for row in rows}
