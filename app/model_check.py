"""Whether the registry is whole, and whether a past prediction can be made again."""

from __future__ import annotations

from typing import Any

from app.room import SOFTWARE_VERSION, Room
from core.errors import ModelUnavailableError, NoSuchCaseError
from core.files import mask_digest
from core.kept_structures import kept_structures
from core.records import ModelVersion
from model.predict import Predictor
from model.registry import LoadedModel, load, versions

WHOLE = "whole"


def verify_models(room: Room) -> list[dict[str, Any]]:
    """Every version of the store and every folder of the registry, and what is wrong with it."""
    names = kept_structures(room.store.engine)
    known = [v for name in names for v in room.store.learning.versions(name)]
    rows: list[dict[str, Any]] = [
        {"version": v.version[:12], "structure": v.roi_name, "finding": _finding(room, v)}
        for v in known
    ]
    strays = set(versions(room.models_folder)) - {v.version for v in known}
    rows += [
        {"version": s[:12], "structure": None, "finding": "in no row: never in service; harmless"}
        for s in sorted(strays)
    ]
    return rows


def is_sound(rows: list[dict[str, Any]]) -> bool:
    """Whether everything the store names is whole."""
    return all(row["finding"] == WHOLE for row in rows if row["structure"] is not None)


def reproduce(room: Room, prediction_id: str) -> dict[str, Any]:
    """Make a past prediction again from its version and its volume; whether it is the same mask.

    The same device, threads and code give the same bits; others may differ in single voxels.
    """
    if not room.store.cases.has_prediction(prediction_id):
        raise NoSuchCaseError(
            f"There is no prediction {prediction_id[:40]!r}. /api/cases/<case id> names them."
        )
    made = room.store.cases.prediction(prediction_id)
    ct = room.store.files.read_ct(made.case_id, made.assembly)
    predictor = Predictor(room.settings.model)
    again = predictor.predict(ct.volume, load(room.models_folder, made.model_version))
    digest = mask_digest(again.mask)
    return {
        "prediction": prediction_id,
        "model": made.model_version[:12],
        "recorded": made.mask_digest[:12],
        "now": digest[:12],
        "same": "yes" if digest == made.mask_digest else "no",
        "device": predictor.device.type,
        "code": SOFTWARE_VERSION,
    }


def _finding(room: Room, recorded: ModelVersion) -> str:
    try:
        found = load(room.models_folder, recorded.version)
    except ModelUnavailableError as error:
        return str(error)
    return WHOLE if _agree(found, recorded) else "its model.json is not what the store recorded"


def _agree(found: LoadedModel, recorded: ModelVersion) -> bool:
    told = found.description
    return (told.roi_name, told.parent, told.training_set, told.scores) == (
        recorded.roi_name,
        recorded.parent,
        recorded.training_set,
        recorded.scores,
    )
