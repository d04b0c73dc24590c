"""What a cohort's figures need of the masks of an approval, measured once."""

from __future__ import annotations

from app.room import Room
from core.case_files import reference_name
from core.cohort_store import ApprovedFigure
from core.geometry import Mask
from core.records import MANUAL, Correction
from dose.difference import dice


def measure(room: Room, correction_id: str, reference_id: int) -> None:
    """Volume of an approval, and Dice with a contour by hand; `reference_id` is the TPS's, or 0."""
    store = room.store
    made = store.reviews.correction(correction_id)
    mask = store.files.read_mask(made.case_id, f"correction-{made.id}", digest=made.mask_digest)
    geometry = store.files.read_ct(made.case_id, made.assembly).geometry
    predicted, corrected = _by_hand(room, made, mask, reference_id)
    volume_cc = geometry.volume_cc(mask)
    store.cohort.measured(ApprovedFigure(made.id, reference_id, volume_cc, predicted, corrected))


def _by_hand(
    room: Room, made: Correction, mask: Mask, reference_id: int
) -> tuple[float | None, float | None]:
    """Dice of what was drawn by hand with what was predicted, and with what was approved."""
    current, files = room.store.cases.get(made.case_id), room.store.files
    if current.arm == MANUAL:
        kept = room.store.arms.kept_from(made)
        return (
            (dice(files.read_mask(current.id, f"prediction-{kept.id}"), mask), None)
            if kept
            else (None, None)
        )
    if not reference_id or current.assembly != made.assembly:
        return None, None
    drawn = files.read_mask(current.id, reference_name(reference_id, current.assembly))
    shown = made.prediction_id
    predicted = dice(drawn, files.read_mask(current.id, f"prediction-{shown}")) if shown else None
    return predicted, dice(drawn, mask)
