"""The calibration a starting model is shipped with, made on synthetic patients it never saw."""

from __future__ import annotations

import structlog

from app.odd_patients import FIRST_CALIBRATION_SEED, odd_patients
from app.room import Room
from model.calibration import LEAST_CASES, calibrate, write_calibration
from model.cascade import loaded_cascade, torch_run
from model.outcomes import outcome_of
from model.predict import choose_device
from model.registry import load

log = structlog.get_logger()


def calibrate_on_synthetic(room: Room, version: str, *, patients: int) -> bool:
    """Put a calibration beside the weights of `version`; False where `patients` are too few."""
    if patients < LEAST_CASES:
        return False
    model = load(room.models_folder, version)
    config = model.description.config
    device = choose_device(room.settings.model)
    run = torch_run(loaded_cascade(config, model.weights, device))
    cases = odd_patients(FIRST_CALIBRATION_SEED, patients, room.settings.model)
    made = calibrate(version, [outcome_of(run, config, case) for case in cases])
    if made is None:
        log.warning("calibration.impossible", model=version[:12])
        return False
    write_calibration(room.models_folder, made)
    return True
