"""What predictions gave away about themselves, and what came out once somebody had approved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.case_store import fetch_case
from core.check_store import may_be_learned
from core.database import reading, writing
from core.dose_store import WHOLE_DOSE
from core.model_tables import correction_check
from core.records import REVIEWED
from core.rules import is_under_review
from core.tables import attachment, case, correction, dose_figure, prediction

NEWEST = 200


@dataclass(frozen=True, slots=True)
class CameOut:
    """A prediction and what was approved on it: Dice, and |mean dose difference| in Gy if known.

    `doubts` as they were stored with the prediction; `dose_instance_id` is the dose of the error.
    """

    model_version: str
    doubts: dict[str, Any]
    dice: float
    dose_instance_id: int | None
    dose_error_gy: float | None


class DoubtStore:
    """Rows about doubts."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add_dose(self, prediction_id: str, dose_instance_id: int, values: dict[str, Any]) -> None:
        """Keep what a prediction gives away on one dose; a second time changes nothing."""
        mine = prediction.c.id == prediction_id
        with writing(self._engine) as connection:
            found = connection.execute(sa.select(prediction).where(mine)).first()
            if found is None:
                return
            known = {str(dose_instance_id): values} | found.doubts.get("dose", {})
            changed = {**found.doubts, "dose": known}
            connection.execute(sa.update(prediction).where(mine).values(doubts=changed))
            current = fetch_case(connection, found.case_id)
            if not is_under_review(current, found.roi_name):
                return
            # What the worklist sorts by: of the prediction that was made last of what is reviewed.
            expected = values.get("error_gy")
            connection.execute(
                sa.update(case)
                .where(case.c.id == found.case_id)
                .values(expected_impact_gy=None if expected is None else expected["value"])
            )

    def came_out(self, roi_name: str) -> list[CameOut]:
        """The 200 newest predictions that somebody reviewed and that may be learned from.

        Only those count that were made before the approval and had doubts stored with them.
        """
        # An alias: the checks are looked at within `may_be_learned` too.
        check = correction_check.alias()
        query = (
            sa.select(
                correction.c.id,
                correction.c.case_id,
                prediction.c.id.label("prediction_id"),
                prediction.c.model_version,
                prediction.c.doubts,
                check.c.figures,
            )
            .join(prediction, prediction.c.id == correction.c.prediction_id)
            .join(check, check.c.correction_id == correction.c.id)
            .where(
                correction.c.roi_name == roi_name,
                correction.c.origin == REVIEWED,
                may_be_learned(),
            )
            .order_by(correction.c.approved_at.desc(), correction.c.id)
            .limit(NEWEST)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
            means = _means(connection, [row["case_id"] for row in rows])
        found = []
        for row in rows:
            if row["doubts"].get("estimates") and row["figures"].get("dice") is not None:
                dose, error_gy = _error(means.get(row["case_id"], {}), row)
                found.append(
                    CameOut(
                        model_version=row["model_version"],
                        doubts=row["doubts"],
                        dice=row["figures"]["dice"],
                        dose_instance_id=dose,
                        dose_error_gy=error_gy,
                    )
                )
        return found


_Means = dict[int, dict[str, float]]


def _means(connection: sa.Connection, case_ids: list[str]) -> dict[str, _Means]:
    """Mean doses by case, dose of a whole plan, and the contour they are of."""
    query = (
        sa.select(dose_figure)
        .join(
            attachment,
            (attachment.c.case_id == dose_figure.c.case_id)
            & (attachment.c.instance_id == dose_figure.c.dose_instance_id),
        )
        .where(
            dose_figure.c.case_id.in_(case_ids),
            dose_figure.c.mean_gy.is_not(None),
            attachment.c.kind == WHOLE_DOSE,
        )
    )
    found: dict[str, _Means] = {}
    for row in connection.execute(query).mappings():
        by_source = found.setdefault(row["case_id"], {}).setdefault(row["dose_instance_id"], {})
        by_source[row["source_id"]] = row["mean_gy"]
    return found


def _error(means: _Means, row: sa.RowMapping) -> tuple[int | None, float | None]:
    """The newest dose that both contours were measured on, and how far the means are apart."""
    for dose in sorted(means, reverse=True):
        predicted, approved = means[dose].get(row["prediction_id"]), means[dose].get(row["id"])
        if predicted is not None and approved is not None:
            return dose, abs(predicted - approved)
    return None, None
