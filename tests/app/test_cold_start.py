"""The starting model: from synthetic patients, resumable, never in the way of a better one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cold_start import ORIGIN, ColdStart, train_cold_start
from app.room import Room
from app.synthetic_cases import (
    FIRST_SEED,
    FIRST_SENTINEL_SEED,
    VIEWS,
    replayed_cases,
    sentinel_cases,
    view_of,
)
from app.together import Trainers
from core.errors import ConfigError
from core.records import Round
from core.store import open_store
from model import train
from model.registry import load
from tests.support.settings import settings_for, small_model

PLAN = ColdStart(patients=2, steps=6, seed=1)


def open_small_room(folder: Path) -> Room:
    folder.mkdir(exist_ok=True)
    settings = settings_for(folder, model=small_model())
    return Room(settings, open_store(settings))


def build(
    room: Room,
    *,
    roi_name: str = "Heart",
    should_stop: Callable[[], bool] = lambda: False,
    plan: ColdStart = PLAN,
) -> Round | None:
    return train_cold_start(room, roi_name, plan, Trainers(should_stop), lambda _done, _of: None)


def test_the_first_model_of_a_node_says_that_it_never_saw_a_patient(tmp_path: Path) -> None:
    room = open_small_room(tmp_path)
    finished = build(room)
    assert finished is not None
    assert "never saw a patient" in finished.verdict
    released = room.store.learning.released("Heart")
    assert released is not None
    assert released.version == finished.version
    assert released.training_set == ("synthetic-5000", "synthetic-5001")
    described = load(room.models_folder, released.version).description
    assert described.scores["origin"] == ORIGIN
    assert len(described.scores["synthetic"]) == 24


def test_a_stopped_run_goes_on_to_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "CHECKPOINT_STEPS", 2)
    whole = build(open_small_room(tmp_path / "whole"))
    room = open_small_room(tmp_path / "stopped")
    answers = iter([False, False, True])
    assert build(room, should_stop=lambda: next(answers)) is None
    assert room.store.learning.released("Heart") is None
    again = build(room)
    assert whole is not None
    assert again is not None
    assert again.version == whole.version


def test_another_starting_model_takes_the_place_of_the_first(tmp_path: Path) -> None:
    room = open_small_room(tmp_path)
    first = build(room)
    second = build(room, plan=ColdStart(patients=2, steps=8, seed=2))
    assert first is not None
    assert second is not None
    assert second.version != first.version
    released = room.store.learning.released("Heart")
    assert released is not None
    assert released.version == second.version


def test_a_structure_that_synthetic_patients_lack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="synthetic patients have no 'Lung_L'"):
        build(open_small_room(tmp_path), roi_name="Lung_L")


def test_sentinels_are_nobody_that_was_learned_and_replay_needs_a_starting_model(
    tmp_path: Path,
) -> None:
    room = open_small_room(tmp_path)
    folder, model = room.settings.data_folder, room.settings.model
    assert replayed_cases(folder, model) == []
    build(room)
    replayed, sentinel = replayed_cases(folder, model), sentinel_cases(folder, model)
    assert [case.case_id for case in replayed] == ["synthetic-5000", "synthetic-5001"]
    assert len(sentinel) == 24
    assert {case.case_id for case in replayed}.isdisjoint(case.case_id for case in sentinel)


def test_some_synthetic_scans_end_within_the_heart_or_have_none_and_sentinels_never() -> None:
    views = Counter(view_of(FIRST_SEED + number) for number in range(400))
    assert views.keys() == VIEWS.keys()
    assert views["chest"] > 250
    sentinels = range(FIRST_SENTINEL_SEED, FIRST_SENTINEL_SEED + 50)
    assert {view_of(seed) for seed in sentinels} == {"chest"}
