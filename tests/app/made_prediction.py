"""A prediction as the worker records it, without a model."""

from __future__ import annotations

from typing import Any

from app.room import Room
from core.geometry import Mask
from core.records import Prediction

MODEL = "c0ffee" + "0" * 58


def made_prediction(
    room: Room,
    case_id: str,
    mask: Mask,
    *,
    name: str = "b" * 32,
    model_version: str = MODEL,
    **changes: Any,
) -> Prediction:
    """Record `mask` as what the model proposed for the heart, with `changes` to the record."""
    made = Prediction(
        id=name,
        case_id=case_id,
        assembly=str(room.store.cases.get(case_id).assembly),
        roi_name="Heart",
        model_version=model_version,
        mask_digest=room.store.files.write_mask(case_id, f"prediction-{name}", mask),
        expected_dice=0.9,
        seconds=1.0,
        created_at=room.now(),
        **changes,
    )
    assert room.store.cases.predicted(made)
    return made
