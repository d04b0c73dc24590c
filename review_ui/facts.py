"""What the pages show of a case, gathered from the store; plain values, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.case import CaseState
from core.geometry import VolumeGeometry
from core.records import MANUAL, Case, DoseFigure, Prediction
from core.rules import URGENT, is_imported, urgency
from core.worklist_store import FINISHED, CaseSummary
from review_ui.access import REVIEWABLE, flow_facts
from review_ui.context import Desk
from review_ui.memory import require_geometry, shown_prediction, start_of
from review_ui.roles import May
from review_ui.words import (
    deliveries_in_words,
    effort_in_words,
    expected_dice_in_words,
    readable_date,
    readable_name,
    state_in_words,
    structure_in_words,
    structures_in_words,
)

PAST_ASSEMBLY = frozenset({CaseState.IN_REVIEW, CaseState.APPROVED, CaseState.DELIVERED})


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


def mean_difference_gy(
    prediction: DoseFigure | None, correction: DoseFigure | None
) -> float | None:
    """Corrected minus predicted mean dose in Gy; None where either is unknown."""
    if prediction is None or correction is None:
        return None
    if prediction.mean_gy is None or correction.mean_gy is None:
        return None
    return correction.mean_gy - prediction.mean_gy


def worklist_row(summary: CaseSummary, *, has_model: bool, now: datetime) -> dict[str, Any]:
    """One line of the worklist."""
    current, shown = summary.case, summary.prediction
    return {
        "id": current.id,
        "patient": patient_of(current),
        "description": current.description,
        "study_date": readable_date(current.study_date),
        "state": str(current.state),
        "words": state_in_words(current, instances=summary.instances, has_model=has_model),
        "reason": current.reason,
        "flags": [
            *flags_of(
                current,
                refusals=summary.refusals,
                suspicions=summary.suspicions,
                doubts=sentences_of(shown),
                kept_aside=summary.kept_aside,
                instances=summary.instances,
            ),
            *beside_the_tps(summary.deviations),
        ],
        "reviewable": current.state in REVIEWABLE
        and current.geometry is not None
        and not is_imported(current),
        "dose": summary.dose_instance_id is not None,
        "roi": summary.roi_name,
        "urgent": urgency(current) == URGENT and current.state not in FINISHED,
        "arrived_at": current.created_at.isoformat(),
        "model_version": shown.model_version if shown else None,
        "effort": effort_in_words(shown.doubts) if shown and current.state in REVIEWABLE else "",
        "mean_difference_gy": mean_difference_gy(summary.predicted, summary.corrected),
        "deliveries": deliveries_in_words(current, summary.deliveries, now=now),
        "lock_holder": summary.holder,
        "assigned_to": current.assigned_to,
        "arm": current.arm,
        "structures": structures_in_words(current, summary.approved_structures),
        "expected_impact_gy": _impact_gy(current),
    }


def _impact_gy(current: Case) -> float | None:
    """How far the mean dose of what is proposed may be off, while it is up to a reviewer."""
    proposed = current.state in REVIEWABLE and current.arm != MANUAL
    return current.expected_impact_gy if proposed else None


def flags_of(
    current: Case,
    *,
    refusals: Sequence[str],
    suspicions: Sequence[str],
    doubts: Sequence[str],
    kept_aside: int,
    instances: int,
) -> list[str]:
    """What somebody should know of a case and the objects that came for it, one sentence each.

    `doubts` are about the prediction, and are told until it is approved; `suspicions` say why what
    was approved waits before it is learned from; `kept_aside` counts objects under a UID that was
    taken, `instances` the CT as it is now.
    """
    flags = [f"Prediction: {doubt}" for doubt in doubts if current.state in REVIEWABLE]
    flags += [f"Not used: {why}" for why in dict.fromkeys(refusals)]
    if suspicions:
        flags.append(f"Not learned from until a second person looks: {' '.join(suspicions)}")
    if kept_aside:
        flags.append(
            f"{kept_aside} other object(s) came under a UID that was taken; kept aside, not used."
        )
    late = instances - current.assembled_count
    if late > 0 and (current.state in PAST_ASSEMBLY or current.under_review is not None):
        flags.append(f"{late} slice(s) came after the review began; they are not part of it.")
    return flags


def beside_the_tps(deviations: Sequence[str]) -> list[str]:
    """Where our dose figures differ from those of the planning system, as flags."""
    return [f"Dose figures beside the TPS's own: {words}" for words in deviations]


def sentences_of(shown: Prediction | None) -> list[str]:
    """What is odd about a prediction, as it was noticed when it was made."""
    return [] if shown is None else list(shown.doubts.get("sentences", ()))


def flags_now(desk: Desk, current: Case) -> list[str]:
    """The flags of one case as things stand."""
    instances = desk.store.instances
    notes = [came.note for came in desk.store.returned.all(case_id=current.id) if came.note]
    counts = instances.counts_by_series([current.series_instance_uid])
    flags = flags_of(
        current,
        refusals=[*instances.refusals(current.id), *notes],
        suspicions=[
            why for check in desk.store.checks.waiting(current.id) for why in check.suspicions
        ],
        doubts=sentences_of(shown_prediction(desk.store, current, desk.roi_of(current))),
        kept_aside=instances.kept_aside_count(current.study_instance_uid),
        instances=counts.get(current.series_instance_uid, 0),
    )
    flags += beside_the_tps(desk.store.self_checks.deviations(current.id))
    missing = desk.store.owed.missing_beside(current.series_instance_uid)
    if missing:
        flags.append(
            f"The sender named {missing} image(s) beside these that never came: the series may be "
            "incomplete."
        )
    return flags


def validation_dice(desk: Desk, roi_name: str, version: str) -> float | None:
    """Mean Dice of a released model on the validation patients; None when it is not known."""
    versions = desk.store.learning.versions(roi_name)
    return next((v.validation_dice for v in versions if v.version == version), None)


def scan_facts(
    desk: Desk, current: Case, geometry: VolumeGeometry, *, roi_name: str, user: str
) -> dict[str, Any]:
    """Whose CT it is, what is contoured on it and how exactly, and where its voxels are."""
    slices, rows, columns = geometry.shape
    return {
        "patient": patient_of(current),
        "study_date": readable_date(current.study_date),
        "description": current.description,
        "roi": roi_name,
        "roi_words": structure_in_words(roi_name),
        "colour": list(desk.colour_of(roi_name)),
        "user": user,
        "dims": [columns, rows, slices],
        "spacing_mm": list(reversed(geometry.spacing_mm)),
        "slice_mm": [float(p[2]) for p in geometry.index_to_mm([(z, 0, 0) for z in range(slices)])],
        "slice_offsets_mm": geometry.slice_positions_mm().tolist(),
        "stop_here": {
            "within_mm": desk.settings.review.stop_within_mm,
            "tolerance_gy": desk.settings.review.stop_tolerance_gy,
        },
    }


def case_facts(desk: Desk, current: Case, *, user: str, may: frozenset[May]) -> dict[str, Any]:
    """Everything the review page needs besides voxels."""
    geometry = require_geometry(current)
    roi_name = desk.roi_of(current)
    shown = shown_prediction(desk.store, current, roi_name)
    held = desk.store.reviews.holder(current.id, now=desk.now())
    mine = held is not None and held[0] == user
    has_model = desk.store.learning.released(roi_name) is not None
    flow = flow_facts(desk, current, user=user, may=may)
    return {
        "id": current.id,
        "state": str(current.state),
        "state_words": state_in_words(current, instances=geometry.shape[0], has_model=has_model),
        "arm": current.arm,
        "reason": current.reason,
        "flags": flags_now(desk, current),
        **scan_facts(desk, current, geometry, roi_name=roi_name, user=user),
        "findings": [
            *current.findings,
            *(f"Structure set: {f}" for f in desk.store.instances.findings(current.id)),
        ],
        "start": list(start_of(desk.store, current, shown)),
        "prediction": None
        if shown is None
        else {
            "id": shown.id,
            "model_version": shown.model_version,
            "created_at": shown.created_at.isoformat(),
            # Of the model, on held-out patients; below what is expected of this prediction.
            "validation_dice": validation_dice(desk, roi_name, shown.model_version),
            "expected_dice": shown.doubts.get("dice"),
            "expected_dice_words": expected_dice_in_words(shown.doubts),
            "effort": effort_in_words(shown.doubts),
        },
        "dose": newest_dose(desk, current.id) is not None,
        "journal": {"seq": desk.store.reviews.last_seq(current.id, roi_name)},
        "lock": {"mine": mine, "holder": held[0] if held else None},
        "editable": flow["access"]["mode"] == "edit",
        "destinations": list(desk.destinations(current)),
        "hold_s": desk.settings.review.hold_s,
        **flow,
    }
