"""A room with approved hearts to learn from, and settings for rounds of seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from app.room import Room
from core.config import load_settings
from core.records import Correction
from core.store import open_store
from core.volume import Volume
from tests.support.bodies import CT, HEART
from tests.support.review_case import put_case
from tests.support.room import approve_mask
from tests.support.settings import small_model, write_config

ROUND = {
    "steps_first": 6,
    "steps_per_case": 0,
    "validate_every": 3,
    "rounds_without_progress": 1,
    "challenger_steps": 8,
    "learning_rate": 0.01,
    "poll_s": 0.05,
}


def learning_config(folder: Path, **training: Any) -> Path:
    """The configuration of a node whose networks are tiny and whose rounds are short."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_config(folder, model=small_model(12.0), training={**ROUND, **training})


def learning_room(folder: Path, **training: Any) -> Room:
    """A room of such a node."""
    settings = load_settings(learning_config(folder, **training))
    return Room(settings, open_store(settings))


def approve_patient(room: Room, number: int) -> Correction:
    """A patient of their own, with other noise, whose heart is approved."""
    noise = np.random.default_rng(number).normal(0, 15, CT.values.shape)
    ct = Volume((CT.values + noise).astype(np.int16), CT.geometry)
    case_id = put_case(room.store, ct, patient_id=f"P-{number:03}")
    return approve_mask(room, case_id, HEART)
