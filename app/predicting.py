"""A prediction: the model in service proposes a structure, and its RTSTRUCT is offered."""

from __future__ import annotations

import structlog

from app.doubting import doubts_of
from app.room import Room, key_of
from app.turns import going_first
from app.writing import offer
from core.case_store import PREDICTABLE
from core.errors import ModelUnavailableError
from core.files import mask_digest
from core.records import Prediction
from core.rules import is_under_review
from model.predict import Predictor
from model.registry import load

log = structlog.get_logger()


def predict(room: Room, predictor: Predictor, case_id: str, roi_name: str, version: str) -> str:
    """Predict one structure of a case with one model version; the same try twice is one.

    Where the version's files are missing or damaged the case waits, with a sentence that says so.
    """
    current = room.store.cases.get(case_id)
    prediction_id = key_of("prediction", case_id, current.assembly or "", roi_name, version)
    if room.store.cases.has_prediction(prediction_id):
        # A crash after the row: the mask it promises must not be written a second time.
        return prediction_id
    if current.assembly is None or current.state not in PREDICTABLE:
        return "left alone: the case has moved on"
    ct = room.store.files.read_ct(case_id, current.assembly)
    try:
        model = load(room.models_folder, version)
    except ModelUnavailableError as error:
        # Never another version in silence: the case waits, and it is tried again.
        reason = f"No prediction yet: {error}"
        if is_under_review(current, roi_name):
            room.store.cases.waits(case_id, reason=reason)
        return reason
    with going_first(room.settings.data_folder):
        proposed = predictor.predict(ct.volume, model, with_doubts=True)
    assert proposed.estimates is not None
    assert proposed.probability is not None
    made = Prediction(
        id=prediction_id,
        case_id=case_id,
        assembly=current.assembly,
        roi_name=roi_name,
        model_version=version,
        mask_digest=mask_digest(proposed.mask),
        expected_dice=proposed.expected_dice,
        seconds=proposed.seconds,
        created_at=room.now(),
        doubts=doubts_of(room, roi_name, version, proposed.estimates),
    )
    room.store.files.write_probability(case_id, made.id, proposed.probability)
    room.store.files.write_mask(case_id, f"prediction-{made.id}", proposed.mask)
    offer(room, made, ct, proposed.mask)  # files first: a row promises that they are there
    if not room.store.cases.predicted(made):
        return "void: the case has moved on"
    log.info("case.predicted", case=case_id, seconds=round(proposed.seconds, 2))
    return made.id
