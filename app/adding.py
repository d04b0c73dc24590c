"""A starting model that was built elsewhere, put into the registry and before the gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.cold_start import ORIGIN, judged, record_start
from app.describing import detail_of
from app.judging import network_config
from app.room import Room
from app.synthetic_cases import FIRST_SEED, MOST_REPLAYED, synthetic_case
from core.errors import ModelUnavailableError
from core.files import write_whole
from core.records import ModelVersion, Round
from model.calibration import CALIBRATION_FILE
from model.metrics import CaseScore, mean_of
from model.registry import LoadedModel, load, publish


def add_starting_model(room: Room, folder: Path, drawn: Callable[[int, int], None]) -> Round:
    """Take the starting model in `folder` (a version of another node) and let the gate judge it.

    `drawn(done, of)` is told of each synthetic patient that is drawn here to go on being learned
    with it. Raises `ModelUnavailableError` where the files are damaged, where it is no starting
    model, or where it was made with other settings than those of this node.
    """
    found = load(folder.resolve().parent, folder.resolve().name)
    _require_fitting(room, found)
    for number in range(MOST_REPLAYED):
        synthetic_case(room.settings.data_folder, room.settings.model, FIRST_SEED + number)
        drawn(number + 1, MOST_REPLAYED)
    roi_name = found.description.roi_name
    started = record_start(room, roi_name, steps=int(found.description.scores["steps"]))
    verdict = judged(room, roi_name, found.weights)
    released = _published(room, found, folder) if verdict.promoted else None
    room.store.learning.finish_round(
        started.id,
        verdict=f"Built elsewhere. {verdict.sentence}",
        now=room.now(),
        released=released,
        figures=verdict.to_json(),
    )
    return room.store.learning.rounds(roi_name, newest=1)[0]


def _require_fitting(room: Room, found: LoadedModel) -> None:
    told = found.description
    if told.scores.get("origin") != ORIGIN or not {"steps", "synthetic"} <= told.scores.keys():
        raise ModelUnavailableError(
            f"Model {found.version[:12]} learned from patients, or does not say where it comes "
            "from; only a starting model, from synthetic patients alone, can be added."
        )
    if told.config != network_config(room.settings, told.roi_name):
        raise ModelUnavailableError(
            f"Model {found.version[:12]} was made with other settings of the networks than "
            "config.yaml has (model, structures); change them there, or build one here with: "
            "recontour train --cold-start"
        )


def _published(room: Room, found: LoadedModel, folder: Path) -> ModelVersion:
    told = found.description
    version = publish(room.models_folder, found.weights, told)
    calibration = folder / CALIBRATION_FILE
    if calibration.is_file():
        write_whole(room.models_folder / version / CALIBRATION_FILE, calibration.read_bytes())
    learned = told.training_set_hash, {"synthetic": len(told.training_set)}
    synthetic: dict[str, Any] = told.scores["synthetic"]
    return ModelVersion(
        version=version,
        roi_name=told.roi_name,
        parent=None,
        validation_dice=mean_of({c: CaseScore.from_json(s) for c, s in synthetic.items()}),
        scores=told.scores,
        training_set=told.training_set,
        released_at=room.now(),
        detail=detail_of(room, told.config, learned, seed=(), made_by="recontour models add"),
    )
