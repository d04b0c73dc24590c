"""The model in service: whole, and on the sentinel patients what it was when it was released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from app.commissioning.check import Check, State, Tolerance, measured, not_run, told
from app.judging import network_config
from app.room import Room
from app.synthetic_cases import sentinel_cases
from core.errors import ModelUnavailableError
from core.records import ModelVersion
from core.structures import is_drawn
from model.gate import USABLE_DICE
from model.metrics import CaseScore, mean_of, score_weights
from model.predict import choose_device
from model.registry import LoadedModel, load

GROUP = "Model in service"
_FINGERPRINT = "A version is the SHA-256 of its weights and configuration (docs/adr/0026)."
SAME = Tolerance(
    0.01, "Dice", "The same weights; another machine may round single voxels the other way."
)
USABLE = Tolerance(
    USABLE_DICE, "Dice", "Below it the gate calls a model unusable (model/gate.py).", at_least=True
)


def in_service(room: Room | None, roi_name: str) -> ModelVersion | None:
    """The version that predicts `roi_name`; None before the first."""
    return None if room is None else room.store.learning.released(roi_name)


def model_checks(room: Room | None, roi_name: str, sentinels: int) -> Iterator[Check]:
    """The fingerprint of a structure's model, and how it does on the first `sentinels`."""
    released = in_service(room, roi_name)
    if room is None or released is None:
        yield not_run(GROUP, f"{roi_name}: fingerprint", "No model is in service.")
        return
    name = f"{roi_name}: fingerprint"
    try:
        loaded = load(room.models_folder, released.version)
    except ModelUnavailableError as error:
        yield told(GROUP, name, str(error), right=False, reason=_FINGERPRINT)
        return
    yield told(GROUP, name, released.version, right=True, reason=_FINGERPRINT)
    yield from _sentinels(room, released, loaded, sentinels)


def _sentinels(
    room: Room, released: ModelVersion, loaded: LoadedModel, count: int
) -> Iterator[Check]:
    roi_name, config = released.roi_name, loaded.description.config
    name = f"{roi_name}: sentinel patients"
    if not is_drawn(roi_name):
        yield not_run(GROUP, name, "Synthetic patients lack this structure.")
        return
    if config != network_config(room.settings, roi_name):
        yield not_run(GROUP, name, "The model was made with other networks than are configured.")
        return
    model = room.settings.model
    cases = sentinel_cases(room.settings.data_folder, model, count)
    now = score_weights(loaded.weights, config, cases, choose_device(model))
    lowest = float(np.min([score.dice for score in now.values()]))
    found = f"lowest {lowest:.3f} of {len(now)} synthetic patients"
    yield measured(GROUP, f"{name}, mean Dice", mean_of(now), USABLE, found)
    yield against_record(f"{name}, change of Dice", now, _recorded(room, released))


def against_record(name: str, now: Mapping[str, CaseScore], then: Mapping[str, Any]) -> Check:
    """How far the patients are from what they were; `then` may lack some of them."""
    known = [case for case in now if case in then]
    if not known:
        return not_run(GROUP, name, "The gate did not measure this version on sentinel patients.")
    # Of Python's own, max passes over what is not a number.
    apart = float(np.max([abs(now[case].dice - float(then[case]["dice"])) for case in known]))
    found = f"the largest of {len(known)} of {len(now)} patients since the version was released"
    check = measured(GROUP, name, apart, SAME, found)
    if check.state is State.PASS and len(known) < len(now):
        return not_run(
            GROUP,
            name,
            f"The gate measured this version on {len(known)} of {len(now)} sentinel "
            f"patients alone; the largest change of these is {check.value}.",
        )
    return check


def _recorded(room: Room, released: ModelVersion) -> Mapping[str, Any]:
    """What the version had on each sentinel patient when it was released."""
    if "synthetic" in released.scores:
        return dict(released.scores["synthetic"])
    promoted = room.store.learning.round_of(released.version)
    scores = {} if promoted is None else promoted.figures.get("scores", {})
    return dict(scores.get("sentinel", {}))
