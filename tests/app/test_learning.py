"""What is learned and when: new cases more often, a challenger where rounds lead no further."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.cold_start import ColdStart, train_cold_start
from app.judging import in_service_of, readable_cases
from app.learning import challenge, learn_what_is_new
from app.room import Room
from app.rounds import NEW, _emphasised, _memory, _starting_model, run_round
from app.synthetic_cases import FIRST_SEED, synthetic_case
from app.together import Lead, Lesson, Trainers
from core.config import Settings
from core.errors import StorageFullError
from core.model_files import DESCRIPTION_FILE
from core.records import Round
from model.checkpoint import read_checkpoint
from model.ranks import Ranks
from model.train import Candidate, RoundProgress
from tests.support.learning import approve_patient, learning_room
from tests.support.room import taught

NEVER = Trainers(lambda: False)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """Two approved patients: one to learn from, one to judge."""
    opened = learning_room(tmp_path)
    for number in range(2):
        approve_patient(opened, number)
    yield opened
    opened.store.engine.dispose()


def rounds(room: Room) -> list[Round]:
    """Oldest first."""
    return room.store.learning.rounds("Heart", newest=50)[::-1]


def learn_until_it_rests(room: Room) -> None:
    while (before := len(rounds(room))) < 20:
        learn_what_is_new(room, "Heart", NEVER)
        if len(rounds(room)) == before:
            return
    raise AssertionError("rounds go on and on")


def emphasis(room: Room) -> dict[str, float]:
    known = taught(room)
    cases = readable_cases(room, known.train, room.settings.model)
    parent = in_service_of(room, "Heart")
    return {case.case_id: case.emphasis for case in _emphasised(cases, known, parent)}


@pytest.mark.slow
def test_what_the_model_in_service_has_not_learned_from_comes_more_often(tmp_path: Path) -> None:
    room = learning_room(tmp_path, steps_first=150, validate_every=30)
    first, _judge = approve_patient(room, 0), approve_patient(room, 1)
    assert emphasis(room) == {first.case_id: NEW}
    assert learn_what_is_new(room, "Heart", NEVER)
    assert emphasis(room) == {first.case_id: 1.0}
    new = approve_patient(room, 2)
    assert emphasis(room) == {first.case_id: 1.0, new.case_id: NEW}


def test_where_rounds_lead_no_further_a_challenger_begins_anew_once(room: Room) -> None:
    challenge(room, "Heart", NEVER)
    assert rounds(room) == []  # there is an ordinary round to run first
    learn_until_it_rests(room)
    ordinary = rounds(room)
    assert not any(r.is_challenger for r in ordinary)
    for _ in range(2):
        challenge(room, "Heart", NEVER)
    (challenger,) = rounds(room)[len(ordinary) :]
    assert challenger.is_challenger
    assert challenger.state == "DONE"
    assert challenger.steps == 8
    assert challenger.corrections == ordinary[-1].corrections
    assert challenger.verdict.startswith("Challenger: ")
    if challenger.version is None:
        learn_until_it_rests(room)
        assert len(rounds(room)) == len(ordinary) + 1


def test_no_challenger_is_tried_where_the_settings_say_none(tmp_path: Path) -> None:
    room = learning_room(tmp_path, challenger_steps=0)
    for number in range(2):
        approve_patient(room, number)
    learn_until_it_rests(room)
    before = len(rounds(room))
    assert not challenge(room, "Heart", NEVER)
    assert len(rounds(room)) == before


def test_hearts_of_synthetic_patients_teach_no_other_structure(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic_case(room.settings.data_folder, room.settings.model, FIRST_SEED)
    asked: dict[str, int] = {}

    def stopped(_ranks: Ranks, _settings: Settings, lesson: Lesson, _lead: Lead) -> Candidate:
        asked[lesson.roi_name] = len(lesson.replay)
        return Candidate({}, {}, (), complete=False, digest="")

    monkeypatch.setattr("app.rounds.teach", stopped)
    for roi_name in ("Heart", "Esophagus"):
        run_round(room, roi_name, taught(room), NEVER)
    assert asked == {"Heart": 1, "Esophagus": 0}


def test_no_round_begins_from_the_disk_s_reserve(room: Room) -> None:
    full = replace(room, settings=room.settings.model_copy(update={"disk_reserve_mb": 10**9}))
    with pytest.raises(StorageFullError):
        learn_what_is_new(full, "Heart", NEVER)
    assert rounds(room) == []


def test_a_correction_ends_a_challenger_at_once_and_is_learned_first(tmp_path: Path) -> None:
    room = learning_room(tmp_path, challenger_steps=5000, poll_s=0.001)
    for number in range(2):
        approve_patient(room, number)
    learn_until_it_rests(room)
    seen: list[int] = []

    def watch(now: RoundProgress) -> None:
        seen.append(now.step)
        if now.step == 3:
            approve_patient(room, 2)

    assert not challenge(room, "Heart", Trainers(lambda: False, watch=watch))
    ended = rounds(room)[-1]
    assert seen == [1, 2, 3, 4]  # asked after each step
    assert (ended.is_challenger, ended.state) == (True, "ABANDONED")
    assert ended.verdict == "Challenger: ended, since there is something to learn."
    kept = {path.name.split("_")[0] for path in (room.settings.data_folder / "training").iterdir()}
    assert "challenger" not in kept
    learn_what_is_new(room, "Heart", NEVER)
    newest = rounds(room)[-1]
    assert not newest.is_challenger
    assert len(newest.corrections) == 3


def steps_remembered(room: Room) -> int:
    memory = _memory(room, "Heart")
    found = read_checkpoint(memory.path, key=memory.key)
    return 0 if found is None else int(found.tensors["steps"])


def test_a_refused_round_is_not_lost_and_a_challenger_leaves_what_is_known_alone(
    room: Room,
) -> None:
    learn_until_it_rests(room)
    (refused,) = rounds(room)  # six steps of tiny networks find nothing
    assert refused.version is None
    assert steps_remembered(room) == 6
    approve_patient(room, 2)
    learn_until_it_rests(room)
    assert steps_remembered(room) == 12
    challenge(room, "Heart", NEVER)
    assert rounds(room)[-1].is_challenger
    assert steps_remembered(room) == 12


def test_another_starting_model_or_a_rollback_begins_something_new(room: Room) -> None:
    learn_until_it_rests(room)
    plan = ColdStart(1, 2, 0)
    first = train_cold_start(room, "Heart", plan, NEVER, lambda _done, _of: None)
    assert first is not None
    assert first.version is not None
    assert steps_remembered(room) == 0
    approve_patient(room, 2)
    learn_until_it_rests(room)
    assert steps_remembered(room) == 6
    other = ColdStart(1, 3, 1)
    train_cold_start(room, "Heart", other, NEVER, lambda _done, _of: None)
    assert steps_remembered(room) == 0
    approve_patient(room, 3)
    learn_until_it_rests(room)
    assert steps_remembered(room) == 6
    room.store.models.roll_back(first.version, who="anna", now=room.now())
    assert steps_remembered(room) == 0


def test_a_model_of_networks_that_are_no_longer_used_does_not_stop_the_trainer(room: Room) -> None:
    made = train_cold_start(room, "Heart", ColdStart(1, 2, 0), NEVER, lambda _done, _of: None)
    assert made is not None
    file = room.models_folder / str(made.version) / DESCRIPTION_FILE
    values = json.loads(file.read_text())
    values["config"] = {"spacing_mm": [4, 4, 4], "widths": [8, 16], "window_hu": [-100, 300]}
    file.write_text(json.dumps(values))
    learn_until_it_rests(room)
    assert rounds(room)[-1].verdict  # judged like the first one
    again = train_cold_start(room, "Heart", ColdStart(1, 3, 1), NEVER, lambda _done, _of: None)
    assert again is not None
    released = room.store.learning.released("Heart")
    assert released is not None
    assert released.version == again.version


def test_a_challenger_that_was_stopped_goes_on_at_the_next_start(room: Room) -> None:
    learn_until_it_rests(room)
    answers = iter([False, False, True, True])
    challenge(room, "Heart", Trainers(lambda: next(answers)))
    stopped = rounds(room)[-1]
    assert (stopped.is_challenger, stopped.state) == (True, "RUNNING")
    steps: list[int] = []
    challenge(room, "Heart", Trainers(lambda: False, watch=lambda now: steps.append(now.step)))
    assert steps[0] > 1
    assert steps[-1] == 8
    assert [r.state for r in rounds(room)[-2:]] == ["ABANDONED", "DONE"]


def test_a_challenger_begins_with_the_starting_model_whatever_is_in_service(room: Room) -> None:
    assert _starting_model(room, "Heart") is None
    finished = train_cold_start(room, "Heart", ColdStart(1, 2, 0), NEVER, lambda _done, _of: None)
    assert finished is not None
    found = _starting_model(room, "Heart")
    assert found is not None
    assert found.version == finished.version


def test_a_round_tells_its_curve_and_the_time_left(room: Room) -> None:
    learn_what_is_new(room, "Heart", NEVER)
    told = rounds(room)[0]
    assert told.step == 6
    assert told.figures["seconds_left"] == 0.0
    assert told.figures["curve"]["every"] == 1
    assert len(told.figures["curve"]["loss"]) == 6
    assert [step for step, _dice in told.figures["curve"]["looks"]] == [6]
    assert told.figures["promoted"] == (told.version is not None)
