"""What a correction changed of the prediction it began from, and what that means for each dose."""

from __future__ import annotations

import math
from typing import Any

from app.room import Room
from core.case_files import reference_name
from core.case_store import PREDICTION
from core.difference_store import DifferenceDue
from core.dose_records import Difference
from core.geometry import Mask, VolumeGeometry
from core.path_length import added_path_length_mm
from core.records import Change, Correction
from core.surfaces import surface_distances
from dose.contour_change import dose_change
from dose.difference import dice

EDITION = 1
"""Of the figures: raised when one of them is measured in another way."""


def compare(room: Room, correction_id: str) -> None:
    """Measure one correction against its prediction and keep it."""
    made = room.store.reviews.correction(correction_id)
    if made.prediction_id is None:
        return
    geometry = room.store.files.read_ct(made.case_id, made.assembly).geometry
    predicted = _predicted(room, made.case_id, made.prediction_id)
    corrected = _corrected(room, made)
    room.store.changes.add(
        Change(
            correction_id=made.id,
            edition=EDITION,
            **_apart(predicted, corrected, geometry),
            created_at=room.now(),
        )
    )


def compare_dose(room: Room, due: DifferenceDue) -> None:
    """Measure an approved contour against another on one dose and keep it."""
    made = room.store.reviews.correction(due.correction_id)
    geometry = room.store.cases.get(made.case_id).geometry
    if geometry is None:
        return
    other = (
        _predicted(room, made.case_id, due.against_id)
        if due.against == PREDICTION
        else room.store.files.read_mask(made.case_id, reference_name(due.against_id, made.assembly))
    )
    corrected = _corrected(room, made)
    dose = room.store.files.read_dose(made.case_id, due.dose_instance_id)
    change = dose_change(dose, other, corrected, geometry)
    room.store.differences.add(
        Difference(
            correction_id=made.id,
            against=due.against,
            against_id=due.against_id,
            dose_instance_id=due.dose_instance_id,
            edition=EDITION,
            contours=_apart(other, corrected, geometry),
            dose=None if change is None else change.to_json(),
            created_at=room.now(),
        )
    )


def _predicted(room: Room, case_id: str, prediction_id: str) -> Mask:
    proposed = room.store.cases.prediction(prediction_id)
    name = f"prediction-{proposed.id}"
    return room.store.files.read_mask(case_id, name, digest=proposed.mask_digest)


def _corrected(room: Room, made: Correction) -> Mask:
    name = f"correction-{made.id}"
    return room.store.files.read_mask(made.case_id, name, digest=made.mask_digest)


def _apart(before: Mask, after: Mask, geometry: VolumeGeometry) -> dict[str, Any]:
    """How far two contours are apart; names and units as in `Change`."""
    apart = surface_distances(before, after, geometry.spacing_mm)
    return {
        "dice": dice(before, after),
        "surface_dice_2mm": apart.surface_dice(2.0),
        "surface_dice_3mm": apart.surface_dice(3.0),
        "hausdorff_95_mm": _finite(apart.hausdorff_95_mm()),
        "mean_surface_mm": _finite(apart.mean_mm()),
        "added_path_length_mm": added_path_length_mm(before, after, geometry),
        "predicted_cc": geometry.volume_cc(before),
        "added_cc": geometry.volume_cc(after & ~before),
        "removed_cc": geometry.volume_cc(before & ~after),
    }


def _finite(distance_mm: float) -> float | None:
    return distance_mm if math.isfinite(distance_mm) else None
