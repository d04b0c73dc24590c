"""A prediction as the worker records it, without a model."""

from __future__ import annotations

from app.room import Room
from core.geometry import Mask
from core.records import Prediction

MODEL = "c0ffee" + "0" * 58


def made_prediction(room: Room, case_id: str, mask: Mask) -> Prediction:
    """Record `mask` as what the model proposed for the heart."""
    name = "b" * 32
    made = Prediction(
        id=name,
        case_id=case_id,
        assembly=str(room.store.cases.get(case_id).assembly),
        roi_name="Heart",
        model_version=MODEL,
        mask_digest=room.store.files.write_mask(case_id, f"prediction-{name}", mask),
        expected_dice=0.9,
        seconds=1.0,
        created_at=room.now(),
    )
    assert room.store.cases.predicted(made)
    return made
