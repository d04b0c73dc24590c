"""What is doubtful about a prediction, kept with it before anybody reviews it.

The expected Dice comes from the calibration beside the model's weights, or of the version it goes
back to as long as the networks are the same; the site's own approved cases take over as soon as
there are twenty.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import structlog

from app.room import Room
from core.doubt_store import CameOut
from core.errors import UnreadableObjectError
from core.geometry import Mask, VolumeGeometry
from core.records import Prediction
from core.resample import resample
from core.suspicion import Observed
from model.calibration import (
    LEAST_SITE_CASES,
    Calibration,
    DoseSigns,
    Outcome,
    dose_signs,
    read_calibration,
)
from model.oddities import oddities
from model.uncertainty import Estimates, Place

log = structlog.get_logger()


def doubts_of(room: Room, roi_name: str, version: str, found: Estimates) -> dict[str, Any]:
    """What is kept with a prediction (see core.records.Prediction)."""
    calibration = calibration_of(room, roi_name, version)
    odd = oddities(found, {} if calibration is None else calibration.population, roi_name)
    expected = None if calibration is None else calibration.expected(found)
    return {
        "sentences": [o.sentence for o in odd],
        "odd": [o.kind for o in odd],
        "estimates": found.to_json(),
        "dice": None if expected is None else asdict(expected),
        "calibration": None
        if calibration is None
        else {
            "origin": calibration.origin,
            "cases": calibration.cases,
            "model_version": calibration.model_version,
        },
    }


def doubt_dose(
    room: Room, made: Prediction, mask: Mask, ct: VolumeGeometry, dose_instance_id: int
) -> None:
    """Keep what the dose says about an undecided prediction: signs, expected mean dose error."""
    if not made.doubts.get("estimates"):
        return
    boxed = room.store.files.read_probability(made.case_id, made.id)
    if boxed is None or not boxed.values.size:
        return
    dose = room.store.files.read_dose(made.case_id, dose_instance_id)
    gray = resample(dose, ct.cut(boxed.box), outside=-1.0).values
    probability = np.asarray(boxed.values, np.float32) / np.float32(255)
    signs = dose_signs(probability, mask[boxed.box], np.where(gray < 0, np.nan, gray))
    if signs is None:
        return
    calibration = calibration_of(room, made.roi_name, made.model_version)
    found = Estimates.from_json(made.doubts["estimates"])
    expected = None if calibration is None else calibration.expected_dose_error(found, signs)
    values = {"signs": asdict(signs), "error_gy": None if expected is None else asdict(expected)}
    room.store.doubts.add_dose(made.id, dose_instance_id, values)


def calibration_of(room: Room, roi_name: str, version: str) -> Calibration | None:
    """The calibration for predictions of `version` here and now; None where there is none."""
    shipped = _shipped(room, roi_name, version)
    if shipped is None:
        return None
    known = room.store.doubts.came_out(roi_name)
    own = [c for c in known if c.model_version == version]
    if len(own) < LEAST_SITE_CASES and _networks_changed(room, roi_name, version, shipped):
        return None
    # Versions follow each other in small steps: until this one has cases enough, all count.
    used = own if len(own) >= LEAST_SITE_CASES else known
    return shipped.on_site([_outcome(c) for c in used], _approved(room, roi_name))


def _shipped(room: Room, roi_name: str, version: str) -> Calibration | None:
    """Of the version itself, else of the nearest one it goes back to."""
    parents = {v.version: v.parent for v in room.store.learning.versions(roi_name)}
    at: str | None = version
    while at is not None:
        try:
            found = read_calibration(room.models_folder, at)
        except UnreadableObjectError as error:
            log.warning("calibration.left_out", reason=str(error))
            found = None
        if found is not None:
            return found
        at = parents.pop(at, None)
    return None


def _networks_changed(room: Room, roi_name: str, version: str, made: Calibration) -> bool:
    """Whether a calibration was made for other networks than those of `version`."""
    details = {v.version: v.detail for v in room.store.learning.versions(roi_name)}
    now, then = (details.get(name, {}).get("config") for name in (version, made.model_version))
    return now is not None and then is not None and now != then


def _approved(room: Room, roi_name: str) -> list[Place]:
    """Where approved structures lie, as far as they may be learned from."""
    places = []
    for check in room.store.checks.all(roi_name):
        if check.figures and not check.suspicions:
            seen = Observed.from_json(check.figures)
            places.append(Place(seen.volume_cc, seen.left_mm, seen.back_mm, None, None))
    return places


def _outcome(known: CameOut) -> Outcome:
    signs = known.doubts.get("dose", {}).get(str(known.dose_instance_id), {}).get("signs")
    return Outcome(
        estimates=Estimates.from_json(known.doubts["estimates"]),
        dice=known.dice,
        dose=None if signs is None else DoseSigns(**signs),
        dose_error_gy=known.dose_error_gy if signs is not None else None,
    )
