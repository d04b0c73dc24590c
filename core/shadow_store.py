"""What versions in shadow proposed, and how it compares with what was served and approved."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from core.case import CaseState
from core.case_store import PREDICTABLE, as_shown, to_case
from core.database import reading, writing
from core.dose_store import WHOLE_DOSE
from core.model_store import fetch_state
from core.model_tables import shadow_prediction
from core.records import Case, ShadowPrediction
from core.review_store import newest_correction
from core.tables import attachment, case, prediction

MEASURABLE = (*PREDICTABLE, CaseState.APPROVED, CaseState.DELIVERED)


@dataclass(frozen=True, slots=True)
class ShadowDue:
    """A shadow prediction to be measured: against which prediction, correction and dose."""

    shadow: ShadowPrediction
    prediction_id: str | None
    correction_id: str | None
    dose_instance_id: int | None

    @property
    def key(self) -> str:
        """Names what it is measured against."""
        return f"{self.prediction_id}/{self.correction_id}/{self.dose_instance_id}"


class ShadowStore:
    """Rows about shadow predictions."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def to_predict(self, roi_name: str) -> list[tuple[Case, str]]:
        """(case, version) that wait for a prediction in shadow, oldest first.

        Cases that came since the version runs in shadow, and already have what is served.
        """
        with reading(self._engine) as connection:
            state = fetch_state(connection, roi_name)
            if state.shadow is None:
                return []
            done = sa.exists().where(
                shadow_prediction.c.case_id == case.c.id,
                shadow_prediction.c.assembly == case.c.assembly,
                shadow_prediction.c.roi_name == roi_name,
                shadow_prediction.c.model_version == state.shadow,
            )
            served = sa.exists().where(
                prediction.c.case_id == case.c.id,
                prediction.c.assembly == case.c.assembly,
                prediction.c.roi_name == roi_name,
            )
            query = (
                sa.select(case)
                .where(
                    case.c.state.in_(MEASURABLE),
                    case.c.created_at >= state.shadow_since,
                    served,
                    ~done,
                )
                .order_by(case.c.created_at)
            )
            cases = [to_case(row) for row in connection.execute(query).mappings()]
        return [(c, state.shadow) for c in cases]

    def add(self, made: ShadowPrediction) -> None:
        """Record what came of it, also a failure; the same one twice is the same as once."""
        with writing(self._engine) as connection:
            known = sa.select(shadow_prediction.c.id).where(shadow_prediction.c.id == made.id)
            if connection.execute(known).first() is None:
                connection.execute(sa.insert(shadow_prediction).values(**asdict(made)))

    def to_measure(self, roi_name: str) -> list[ShadowDue]:
        """Shadow predictions that something new can be said of."""
        here = (prediction.c.case_id == shadow_prediction.c.case_id) & (
            prediction.c.assembly == shadow_prediction.c.assembly
        )
        served = (
            sa.select(prediction.c.id)
            .where(here, prediction.c.roi_name == shadow_prediction.c.roi_name)
            .order_by(*as_shown())
            .limit(1)
        )
        dose = sa.select(sa.func.max(attachment.c.instance_id)).where(
            attachment.c.case_id == shadow_prediction.c.case_id, attachment.c.kind == WHOLE_DOSE
        )
        query = sa.select(
            shadow_prediction,
            served.scalar_subquery().label("served"),
            newest_correction(shadow_prediction).scalar_subquery().label("approved"),
            dose.scalar_subquery().label("dose"),
        ).where(shadow_prediction.c.roi_name == roi_name, shadow_prediction.c.error == "")
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        due = [ShadowDue(_record(r), r["served"], r["approved"], r["dose"]) for r in rows]
        return [each for each in due if each.key != each.shadow.measured_against]

    def measured(self, due: ShadowDue, figures: dict[str, Any]) -> None:
        """Keep the figures of a shadow prediction."""
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(shadow_prediction)
                .where(shadow_prediction.c.id == due.shadow.id)
                .values(measured_against=due.key, figures=figures)
            )

    def of(self, version: str) -> list[ShadowPrediction]:
        """What a version proposed in shadow, newest first."""
        query = (
            sa.select(shadow_prediction)
            .where(shadow_prediction.c.model_version == version)
            .order_by(shadow_prediction.c.created_at.desc())
        )
        with reading(self._engine) as connection:
            return [_record(row) for row in connection.execute(query).mappings()]


def _record(row: sa.RowMapping) -> ShadowPrediction:
    names = shadow_prediction.c.keys()
    return ShadowPrediction(**{name: row[name] for name in names})
