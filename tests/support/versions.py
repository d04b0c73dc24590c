"""Versions of models in a store, as if rounds had ended with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.room import Room
from core.records import ModelVersion, Round
from core.store import Store
from model.cascade import fresh_cascade
from model.registry import ModelDescription, publish
from tests.support.review_case import NOW
from tests.support.settings import config_of

A, B, C = ("a1" * 32, "b2" * 32, "c3" * 32)
SCORE = {"dice": 0.91, "surface_dice": 0.8, "hausdorff_95_mm": 6.5, "mean_dose_error_gy": 0.12}
FIGURES = {
    "promoted": True,
    "figures": {"dice": 0.91, "dice_released": 0.88, "worst case": 0.01},
    "scores": {"candidate": {"case-1": SCORE}, "released": {"case-1": {**SCORE, "dice": 0.88}}},
}
DETAIL = {
    "config": {"fine": {"spacing_mm": [4.0, 4.0, 4.0]}},
    "code_version": "0.1.0",
    "training_set_hash": "9f" * 32,
    "learned_from": {"corrections": 5, "synthetic": 24, "judged on": 1},
    "seed": [0, 3],
    "device": "cpu",
    "threads": 1,
    "made_by": "recontour train, from the corrections of its training set",
}


def put_version(store: Store, version: str, number: int, **changes: Any) -> ModelVersion:
    """A version that passed the gate in round `number`, an hour after the one before."""
    at = NOW - timedelta(days=1) + timedelta(hours=number)
    roi_name = changes.get("roi_name", "Heart")
    begun = Round(f"{number:032x}", roi_name, (), "RUNNING", 0, 9, None, None, "", at, None)
    store.learning.start_round(begun)
    tip = store.models.tip(roi_name)
    values: dict[str, Any] = {
        "version": version,
        "roi_name": roi_name,
        "parent": None if tip is None else tip.version,
        "validation_dice": 0.91,
        "scores": {"validation": {"case-1": SCORE}, "steps": 300},
        "training_set": ("correction-1", "correction-2"),
        "released_at": at,
        "detail": DETAIL,
        **changes,
    }
    made = ModelVersion(**values)
    verdict = "Promoted: mean Dice 0.910 against 0.880 of the released model."
    store.learning.finish_round(begun.id, verdict=verdict, now=at, released=made, figures=FIGURES)
    return made


def put_real(room: Room, number: int) -> str:
    """A version with files and a row that agree."""
    network = config_of(room.settings.model)
    scores = {"steps": number}
    told = ModelDescription("Heart", network, "test", None, ("x",), scores, NOW.isoformat())
    weights = fresh_cascade(network, seed=number).state_dict()
    for head in ("coarse.head.bias", "fine.head.bias"):
        weights[head] = weights[head] + 2.0  # fresh weights would propose nothing
    version = publish(room.models_folder, weights, told)
    put_version(room.store, version, number, parent=None, scores=scores, training_set=("x",))
    return version
