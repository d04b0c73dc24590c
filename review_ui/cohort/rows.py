"""One row a reviewed case: how long it took, what was changed, what that meant for the dose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from core.case_files import CaseFiles, reference_name
from core.case_store import CORRECTION, PREDICTION
from core.records import ASSISTED, MANUAL, REVIEWED, Case, Change, Correction, DoseFigure
from core.store import Store
from dose.difference import dice

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
    None where no prediction was shown.
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
    corrected_cc: float
    change: Change | None
    dose: DoseChange | None
    manual: Manual | None
    model_version: str | None


def rows_of(store: Store, roi_name: str) -> list[CohortRow]:
    """A row for each case whose `roi_name` was approved on the review page, in order.

    Raises `UnreadableObjectError` where a mask that was approved is damaged or gone.
    """
    changes = store.changes.newest()
    seconds, strokes = store.timing.contouring_s(roi_name), store.reviews.stroke_counts(roi_name)
    reviewers: dict[str, int] = {}
    rows = []
    for number, (current, made) in enumerate(_in_order(store, roi_name), start=1):
        known = {
            "number": number,
            "reviewer": reviewers.setdefault(made[0].approved_by, len(reviewers) + 1),
            "seconds": seconds.get((current.id, current.arm)),
            "strokes": strokes.get(current.id, 0),
            "change": changes.get(made[-1].id),
        }
        rows.append(_row(store, current, made, known))
    return rows


def _in_order(store: Store, roi_name: str) -> list[tuple[Case, list[Correction]]]:
    """Cases with their approvals, oldest first in both."""
    found = []
    for current in store.cases.all():
        made = [
            one
            for one in store.teaching.corrections(current.id, roi_name)
            if one.origin == REVIEWED
        ]
        if made:
            found.append((current, sorted(made, key=lambda one: (one.approved_at, one.id))))
    return sorted(found, key=lambda each: (each[1][0].approved_at, each[1][0].id))


def _row(store: Store, current: Case, made: list[Correction], known: dict[str, Any]) -> CohortRow:
    """A row with what is `known` of all cases at once."""
    last = made[-1]
    proposed = last.prediction_id and store.cases.prediction(last.prediction_id)
    return CohortRow(
        **known,
        case_id=current.id,
        arm=MANUAL if current.arm == MANUAL else ASSISTED if proposed else UNAIDED,
        approvals=len(made),
        approved_at=made[0].approved_at,
        slices_seen=len(last.slices_seen),
        corrected_cc=_volume_cc(store.files, current.id, last.assembly, last.id),
        dose=_dose_change(store, current, last),
        manual=_manual(store, current, last),
        model_version=proposed.model_version if proposed else None,
    )


@lru_cache(maxsize=16384)  # what was approved stays as it is
def _volume_cc(files: CaseFiles, case_id: str, assembly: str, correction_id: str) -> float:
    geometry = files.read_ct(case_id, assembly).geometry
    return geometry.volume_cc(files.read_mask(case_id, f"correction-{correction_id}"))


def _dose_change(store: Store, current: Case, last: Correction) -> DoseChange | None:
    primary = store.doses.primary(current.id)
    if primary is None:
        return None
    by_source = {
        (figure.source, figure.source_id): figure
        for figure in store.cases.dose_figures(current.id)
        if figure.dose_instance_id == primary.instance_id and figure.roi_name == last.roi_name
    }
    corrected = by_source.get((CORRECTION, last.id))
    if corrected is None:
        return None
    predicted = by_source.get((PREDICTION, last.prediction_id or ""))
    return DoseChange(_mean(predicted), corrected.mean_gy, corrected.coverage)


def _mean(figure: DoseFigure | None) -> float | None:
    return None if figure is None else figure.mean_gy


def _manual(store: Store, current: Case, last: Correction) -> Manual | None:
    if current.arm == MANUAL:
        kept = store.arms.kept_from(last)
        names = (f"prediction-{kept.id}", f"correction-{last.id}") if kept else None
        return Manual(overlap(store.files, current.id, *names), None) if names else None
    reference = store.instances.reference_of(current.id, last.roi_name)
    if reference is None or current.assembly != last.assembly:
        return None
    drawn = reference_name(reference.id, current.assembly)
    predicted = last.prediction_id and f"prediction-{last.prediction_id}"
    return Manual(
        predicted=overlap(store.files, current.id, drawn, predicted) if predicted else None,
        corrected=overlap(store.files, current.id, drawn, f"correction-{last.id}"),
    )


@lru_cache(maxsize=16384)  # masks are final, so is their overlap
def overlap(files: CaseFiles, case_id: str, one: str, other: str) -> float:
    """Dice of two masks that are kept of a case."""
    return dice(files.read_mask(case_id, one), files.read_mask(case_id, other))
