"""A version in shadow predicts beside the one in service; nobody sees it, it is only measured."""

from __future__ import annotations

from typing import Any

import structlog

from app.room import Room, key_of
from app.turns import going_first
from core.errors import RecontourError
from core.files import mask_digest
from core.geometry import Mask
from core.records import Case, ShadowPrediction
from core.shadow_store import ShadowDue
from core.volume import Volume
from dose.difference import dice
from dose.metrics import roi_dose
from model.predict import Predictor
from model.registry import load

log = structlog.get_logger()

# Whatever a trial version does wrong, too little memory among it, is its own failure alone.
FAILURES = (RecontourError, OSError, RuntimeError, ValueError, MemoryError)


def predict(room: Room, predictor: Predictor, case_id: str, roi_name: str, version: str) -> str:
    """Predict a case in shadow and keep the mask; a failure is recorded and not tried again.

    It touches neither the case nor its predictions, and writes no RTSTRUCT.
    """
    current = room.store.cases.get(case_id)
    made_id = key_of("shadow", case_id, current.assembly or "", roi_name, version)
    try:
        made = _proposed(room, predictor, current, made_id, roi_name, version)
    except FAILURES as error:
        told = str(error) if isinstance(error, RecontourError) else type(error).__name__
        log.warning("shadow.failed", case=case_id, kind=type(error).__name__)
        made = _row(room, current, made_id, roi_name, version, error=told)
    room.store.shadows.add(made)
    return made.error or made.id


def measure(room: Room, roi_name: str, shadow_id: str) -> None:
    """Compare a shadow prediction with what was served and what was approved, as things stand."""
    due = [d for d in room.store.shadows.to_measure(roi_name) if d.shadow.id == shadow_id]
    for each in due:
        room.store.shadows.measured(each, _figures(room, each))


def _proposed(
    room: Room, predictor: Predictor, current: Case, made_id: str, roi_name: str, version: str
) -> ShadowPrediction:
    assembly = current.assembly or ""
    ct = room.store.files.read_ct(current.id, assembly)
    model = load(room.models_folder, version)
    with going_first(room.settings.data_folder):
        proposed = predictor.predict(ct.volume, model)
    room.store.files.write_mask(current.id, f"shadow-{made_id}", proposed.mask)
    return _row(
        room,
        current,
        made_id,
        roi_name,
        version,
        mask_digest=mask_digest(proposed.mask),
        expected_dice=proposed.expected_dice,
        seconds=proposed.seconds,
    )


def _row(
    room: Room,
    current: Case,
    made_id: str,
    roi_name: str,
    version: str,
    **found: Any,
) -> ShadowPrediction:
    values = {"mask_digest": None, "expected_dice": None, "seconds": None, "error": ""} | found
    return ShadowPrediction(
        id=made_id,
        case_id=current.id,
        roi_name=roi_name,
        assembly=current.assembly or "",
        model_version=version,
        created_at=room.now(),
        **values,
    )


def _figures(room: Room, due: ShadowDue) -> dict[str, Any]:
    """Differences are of the shadow (or of what was served) minus the other, in cc and Gy."""
    files, shadow = room.store.files, due.shadow
    case_id = shadow.case_id
    own = files.read_mask(case_id, f"shadow-{shadow.id}", digest=shadow.mask_digest)
    measured = _Measured(room, due)
    figures: dict[str, Any] = {}
    served = approved = None
    if due.prediction_id is not None:
        made = room.store.cases.prediction(due.prediction_id)
        served = files.read_mask(case_id, f"prediction-{made.id}", digest=made.mask_digest)
        figures["served_version"] = made.model_version
        figures["against_served"] = measured.difference(own, served)
    if due.correction_id is not None:
        found = room.store.reviews.correction(due.correction_id)
        approved = files.read_mask(case_id, f"correction-{found.id}", digest=found.mask_digest)
        figures["against_approved"] = measured.difference(own, approved)
    if served is not None and approved is not None:
        figures["served_against_approved"] = measured.difference(served, approved)
    return figures


class _Measured:
    """Masks of one case, compared on its grid and on its dose."""

    def __init__(self, room: Room, due: ShadowDue) -> None:
        files, shadow = room.store.files, due.shadow
        self._geometry = files.read_ct(shadow.case_id, shadow.assembly).geometry
        self._dose: Volume | None = None
        if due.dose_instance_id is not None:
            self._dose = files.read_dose(shadow.case_id, due.dose_instance_id)

    def difference(self, one: Mask, other: Mask) -> dict[str, float | None]:
        """Dice, and volume and mean dose of `one` minus those of `other`."""
        volume_cc = self._geometry.volume_cc(one) - self._geometry.volume_cc(other)
        means = [self._mean_gy(one), self._mean_gy(other)]
        known = None not in means
        return {
            "dice": dice(one, other),
            "volume_cc": volume_cc,
            "mean_gy": float(means[0] - means[1]) if known else None,  # type: ignore[operator]
        }

    def _mean_gy(self, mask: Mask) -> float | None:
        return None if self._dose is None else roi_dose(self._dose, mask, self._geometry).mean_gy
