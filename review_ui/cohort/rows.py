"""One row a reviewed case: how long it took, what was changed, what that meant for the dose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.case_store import CORRECTION, PREDICTION
from core.cohort_store import ApprovedFigure, Reviewed
from core.records import ASSISTED, MANUAL, Change
from core.store import Store

UNAIDED = "unaided"
"""Of a case that was contoured before there was a model."""


@dataclass(frozen=True, slots=True)
class DoseChange:
    """Mean doses in Gy on the dose that the case's figures are about, and how much it covers."""

    predicted_gy: float | None
    corrected_gy: float | None
    coverage: float

    @property
    def difference_gy(self) -> float | None:
        """Corrected minus predicted."""
        if self.predicted_gy is None or self.corrected_gy is None:
            return None
        return self.corrected_gy - self.predicted_gy


@dataclass(frozen=True, slots=True)
class Manual:
    """Dice of a contour drawn by hand with what was predicted and corrected (table 1 of the paper).

    By hand: that of the TPS that joined the case, or the approved one of the arm MANUAL.
    """

    predicted: float | None
    corrected: float | None


@dataclass(frozen=True, slots=True)
class CohortRow:
    """A case in its place: `number` counts by first approval, figures are of the last one.

    `reviewer` counts people by their first approval: names do not leave the node. `change` is
    None where no prediction was shown; it and what needs masks, also until they are measured.
    """

    number: int
    case_id: str
    reviewer: int
    arm: str
    approvals: int
    approved_at: datetime
    seconds: float | None
    strokes: int
    slices_seen: int
    corrected_cc: float | None
    change: Change | None
    dose: DoseChange | None
    manual: Manual | None
    model_version: str | None


def rows_of(store: Store, roi_name: str) -> list[CohortRow]:
    """A row for each case whose `roi_name` was approved on the review page, in order."""
    changes = store.changes.newest()
    seconds, strokes = store.timing.contouring_s(roi_name), store.reviews.stroke_counts(roi_name)
    reviewers: dict[str, int] = {}
    return [
        CohortRow(
            number=number,
            case_id=one.case_id,
            reviewer=reviewers.setdefault(one.approvals[0].approved_by, len(reviewers) + 1),
            arm=MANUAL if one.arm == MANUAL else ASSISTED if one.model_version else UNAIDED,
            approvals=len(one.approvals),
            approved_at=one.approvals[0].approved_at,
            seconds=seconds.get((one.case_id, one.arm)),
            strokes=strokes.get(one.case_id, 0),
            slices_seen=len(one.approvals[-1].slices_seen),
            corrected_cc=one.figure.volume_cc if one.figure else None,
            change=changes.get(one.approvals[-1].id),
            dose=_dose_change(one),
            manual=_manual(one.figure),
            model_version=one.model_version,
        )
        for number, one in enumerate(store.cohort.reviewed(roi_name), start=1)
    ]


def _dose_change(one: Reviewed) -> DoseChange | None:
    last = one.approvals[-1]
    corrected = one.doses.get((CORRECTION, last.id))
    if corrected is None:
        return None
    predicted = one.doses.get((PREDICTION, last.prediction_id or ""))
    before_gy = predicted.mean_gy if predicted else None
    return DoseChange(before_gy, corrected.mean_gy, corrected.coverage)


def _manual(figure: ApprovedFigure | None) -> Manual | None:
    if figure is None or (figure.predicted_dice is None and figure.corrected_dice is None):
        return None
    return Manual(figure.predicted_dice, figure.corrected_dice)
