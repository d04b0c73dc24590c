"""A model whose files are not whole predicts nothing, and no other one takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.predicting import predict
from app.room import Room
from core.case import CaseState
from core.model_files import DESCRIPTION_FILE, WEIGHTS_FILE
from model.predict import Predictor
from tests.support.bodies import CT, HEART
from tests.support.review_case import ROUTING, put_case, put_prediction
from tests.support.room import approve_mask, open_room

VERSION = "ab" * 32


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    opened = open_room(tmp_path)
    yield opened
    opened.store.engine.dispose()


def damage(room: Room) -> None:
    folder = room.models_folder / VERSION
    folder.mkdir(parents=True)
    (folder / WEIGHTS_FILE).write_bytes(b"not what was published")
    (folder / DESCRIPTION_FILE).write_text("{}")


def ask(room: Room, case_id: str, roi_name: str = "Heart") -> str:
    return predict(room, Predictor(room.settings.model), case_id, roi_name, VERSION)


@pytest.mark.parametrize("damaged", [True, False], ids=["damaged", "missing"])
def test_a_case_waits_with_a_sentence_while_its_model_is_not_whole(
    room: Room, damaged: bool
) -> None:
    if damaged:
        damage(room)
    case_id = put_case(room.store, CT)
    said = ask(room, case_id)
    assert said.startswith("No prediction yet: ")
    assert ("do not match" if damaged else "not in the registry") in said
    case = room.store.cases.get(case_id)
    assert (case.state, case.reason) == (CaseState.ASSEMBLED, said)
    # Still due, for this version and no other: it is tried again.
    assert [c.id for c in room.store.cases.to_predict("Heart", VERSION)] == [case_id]


def test_the_sentence_goes_when_the_prediction_comes(room: Room) -> None:
    case_id = put_case(room.store, CT)
    ask(room, case_id)
    put_prediction(room.store, case_id, HEART)
    assert room.store.cases.get(case_id).reason == ""


def test_what_was_approved_is_not_told_to_wait(room: Room) -> None:
    case_id = put_case(room.store, CT)
    approve_mask(room, case_id, HEART)
    room.store.cases.waits(case_id, reason="No prediction yet")
    assert room.store.cases.get(case_id).reason == ""


def test_a_case_is_ready_with_the_structure_that_is_reviewed_and_no_other(room: Room) -> None:
    case_id = put_case(room.store, CT, routing=replace(ROUTING, structures=("Esophagus", "Heart")))
    said = ask(room, case_id, "Esophagus")
    put_prediction(room.store, case_id, HEART)
    case = room.store.cases.get(case_id)
    assert (case.state, case.reason) == (CaseState.ASSEMBLED, said)
    put_prediction(room.store, case_id, HEART, roi_name="Esophagus")
    ask(room, case_id)  # what waits for a model of the heart is not what a reviewer waits for
    case = room.store.cases.get(case_id)
    assert (case.state, case.reason) == (CaseState.PREDICTED, "")
