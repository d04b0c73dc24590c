"""What a correction changed of the prediction it began from."""

from __future__ import annotations

import math

from app.room import Room
from core.path_length import added_path_length_mm
from core.records import Change
from core.surfaces import surface_distances
from dose.difference import dice

EDITION = 1
"""Of the figures: raised when one of them is measured in another way."""


def compare(room: Room, correction_id: str) -> None:
    """Measure one correction against its prediction and keep it."""
    made = room.store.reviews.correction(correction_id)
    if made.prediction_id is None:
        return
    files = room.store.files
    proposed = room.store.cases.prediction(made.prediction_id)
    geometry = files.read_ct(made.case_id, made.assembly).geometry
    predicted = files.read_mask(
        made.case_id, f"prediction-{proposed.id}", digest=proposed.mask_digest
    )
    corrected = files.read_mask(made.case_id, f"correction-{made.id}", digest=made.mask_digest)
    apart = surface_distances(predicted, corrected, geometry.spacing_mm)
    room.store.changes.add(
        Change(
            correction_id=made.id,
            edition=EDITION,
            dice=dice(predicted, corrected),
            surface_dice_2mm=apart.surface_dice(2.0),
            surface_dice_3mm=apart.surface_dice(3.0),
            hausdorff_95_mm=_finite(apart.hausdorff_95_mm()),
            mean_surface_mm=_finite(apart.mean_mm()),
            added_path_length_mm=added_path_length_mm(predicted, corrected, geometry),
            predicted_cc=geometry.volume_cc(predicted),
            added_cc=geometry.volume_cc(corrected & ~predicted),
            removed_cc=geometry.volume_cc(predicted & ~corrected),
            created_at=room.now(),
        )
    )


def _finite(distance_mm: float) -> float | None:
    return distance_mm if math.isfinite(distance_mm) else None
