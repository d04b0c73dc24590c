"""What the pages show of a case, gathered from the store; plain values, ready for JSON."""

from __future__ import annotations

from typing import Any

from core.case import CaseState
from core.records import Case, DoseFigure
from review_ui.context import Desk
from review_ui.memory import shown_prediction
from review_ui.words import delivery_in_words, readable_date, readable_name, state_in_words

PAST_ASSEMBLY = frozenset({CaseState.IN_REVIEW, CaseState.APPROVED, CaseState.DELIVERED})
REVIEWABLE = frozenset({CaseState.ASSEMBLED, CaseState.PREDICTED, CaseState.IN_REVIEW})


def patient_of(current: Case) -> dict[str, str]:
    """Name, id and birth date for the screen."""
    return {
        "name": readable_name(current.patient_name),
        "id": current.patient_id,
        "birth_date": readable_date(current.patient_birth_date),
    }


def newest_dose(desk: Desk, case_id: str) -> int | None:
    """Instance id of the dose that figures refer to: the one that came last."""
    doses = desk.store.instances.attached(case_id, kind="dose")
    return doses[-1].id if doses else None


def figures_on_newest_dose(
    desk: Desk, current: Case
) -> tuple[DoseFigure | None, DoseFigure | None]:
    """(prediction, correction) as the worker recorded them, both on the dose that came last."""
    dose_id = newest_dose(desk, current.id)
    shown = shown_prediction(desk.store, current, desk.roi_name)
    approved = desk.store.reviews.correction_of(current.id, desk.roi_name)
    found = [f for f in desk.store.cases.dose_figures(current.id) if f.dose_instance_id == dose_id]

    def of(source_id: str | None) -> DoseFigure | None:
        return next((f for f in found if f.source_id == source_id), None)

    return of(shown.id if shown else None), of(approved.id if approved else None)


def mean_difference_gy(
    prediction: DoseFigure | None, correction: DoseFigure | None
) -> float | None:
    """Corrected minus predicted mean dose in Gy; None where either is unknown."""
    if prediction is None or correction is None:
        return None
    if prediction.mean_gy is None or correction.mean_gy is None:
        return None
    return correction.mean_gy - prediction.mean_gy


def worklist_row(
    desk: Desk, current: Case, *, holder: str | None, instances: int
) -> dict[str, Any]:
    """One line of the worklist."""
    shown = shown_prediction(desk.store, current, desk.roi_name)
    prediction, correction = figures_on_newest_dose(desk, current)
    deliveries = desk.store.deliveries.all(case_id=current.id)
    has_model = desk.store.learning.released(desk.roi_name) is not None
    return {
        "id": current.id,
        "patient": patient_of(current),
        "description": current.description,
        "study_date": readable_date(current.study_date),
        "state": str(current.state),
        "words": state_in_words(current, instances=instances, has_model=has_model),
        "reason": current.reason,
        "flags": flags_of(desk, current, instances=instances),
        "reviewable": current.state in REVIEWABLE and current.geometry is not None,
        "dose": newest_dose(desk, current.id) is not None,
        "arrived_at": current.created_at.isoformat(),
        "model_version": shown.model_version if shown else None,
        "mean_difference_gy": mean_difference_gy(prediction, correction),
        "deliveries": [delivery_in_words(d) for d in deliveries],
        "lock_holder": holder,
    }


def flags_of(desk: Desk, current: Case, *, instances: int) -> list[str]:
    """What somebody should know of the objects that came for a case, one sentence each."""
    flags = [f"Not used: {why}" for why in desk.store.instances.refusals(current.id)]
    aside = desk.store.instances.kept_aside_count(current.study_instance_uid)
    if aside:
        flags.append(
            f"{aside} other object(s) came under a UID that was taken; kept aside, not used."
        )
    late = instances - current.assembled_count
    if late > 0 and current.state in PAST_ASSEMBLY:
        flags.append(f"{late} slice(s) came after the review began; they are not part of it.")
    return flags


def case_facts(desk: Desk, current: Case, *, user: str, is_reviewer: bool) -> dict[str, Any]:
    """Everything the review page needs besides voxels."""
    remembered = desk.memory.recall(current)
    geometry = remembered.geometry
    slices, rows, columns = geometry.shape
    shown = shown_prediction(desk.store, current, desk.roi_name)
    held = desk.store.reviews.holder(current.id, now=desk.now())
    mine = held is not None and held[0] == user
    has_model = desk.store.learning.released(desk.roi_name) is not None
    return {
        "id": current.id,
        "state": str(current.state),
        "state_words": state_in_words(current, instances=slices, has_model=has_model),
        "reason": current.reason,
        "patient": patient_of(current),
        "study_date": readable_date(current.study_date),
        "description": current.description,
        "roi": desk.roi_name,
        "colour": list(desk.structure.colour),
        "user": user,
        "dims": [columns, rows, slices],
        "spacing_mm": list(reversed(geometry.spacing_mm)),
        "slice_mm": [float(p[2]) for p in geometry.index_to_mm([(z, 0, 0) for z in range(slices)])],
        "start": list(remembered.start),
        "prediction": None
        if shown is None
        else {
            "id": shown.id,
            "model_version": shown.model_version,
            "created_at": shown.created_at.isoformat(),
            "expected_dice": shown.expected_dice,
        },
        "dose": newest_dose(desk, current.id) is not None,
        "journal": {"seq": desk.store.reviews.last_seq(current.id, desk.roi_name)},
        "lock": {"mine": mine, "holder": held[0] if held else None},
        "editable": is_reviewer and current.state in REVIEWABLE and (held is None or mine),
        "destinations": [d.name for d in desk.settings.destinations],
        "approved": _approval(desk, current),
    }


def _approval(desk: Desk, current: Case) -> dict[str, Any] | None:
    approved = desk.store.reviews.correction_of(current.id, desk.roi_name)
    if approved is None:
        return None
    return {
        "by": approved.approved_by,
        "at": approved.approved_at.isoformat(),
        "deliveries": [
            {
                "destination": d.destination,
                "state": d.state,
                "words": delivery_in_words(d),
                "last_error": d.last_error,
            }
            for d in desk.store.deliveries.all(case_id=current.id)
        ],
    }
