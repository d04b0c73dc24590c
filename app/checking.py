"""Every approved correction is looked at before it is learned from (see core.suspicion)."""

from __future__ import annotations

from typing import Any

import structlog

from app.room import Room
from core.check_store import LET_IN
from core.errors import RecontourError
from core.records import Correction, CorrectionCheck
from core.suspicion import Observed, observe, suspicions

log = structlog.get_logger()


def check_what_is_new(room: Room, roi_name: str) -> None:
    """Check the corrections that nobody has checked yet, oldest first."""
    due = room.store.checks.due(roi_name)
    if not due:
        return
    others = [Observed.from_json(c.figures) for c in room.store.checks.all(roi_name) if _counts(c)]
    for approved in due:
        check = _checked(room, approved, others)
        room.store.checks.record(check)
        if check.suspicions:
            log.warning("correction.suspicious", correction=approved.id)
        if _counts(check):
            others.append(Observed.from_json(check.figures))


def _counts(check: CorrectionCheck) -> bool:
    """Whether a correction belongs to what is usual here."""
    return bool(check.figures) and (not check.suspicions or check.decision == LET_IN)


def _checked(room: Room, approved: Correction, others: list[Observed]) -> CorrectionCheck:
    try:
        found = _observed(room, approved)
    except (RecontourError, OSError) as error:
        # Nothing can be learned from it either; it says so until its files are back.
        told = [f"It cannot be checked: {error}"]
        figures: dict[str, Any] = {}
    else:
        told = suspicions(found, others, approved.roi_name)
        figures = found.to_json()
    return CorrectionCheck(
        correction_id=approved.id,
        case_id=approved.case_id,
        roi_name=approved.roi_name,
        suspicions=tuple(told),
        figures=figures,
        checked_at=room.now(),
    )


def _observed(room: Room, approved: Correction) -> Observed:
    files, case_id = room.store.files, approved.case_id
    ct = files.read_ct(case_id, approved.assembly).volume
    mask = files.read_mask(case_id, f"correction-{approved.id}", digest=approved.mask_digest)
    if approved.prediction_id is None:
        return observe(mask, ct)
    made = room.store.cases.prediction(approved.prediction_id)
    predicted = files.read_mask(case_id, f"prediction-{made.id}", digest=made.mask_digest)
    return observe(mask, ct, predicted=predicted, expected_dice=made.expected_dice)
