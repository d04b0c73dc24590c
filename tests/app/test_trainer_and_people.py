"""The trainer goes on from what people left in service, and learns only what they let in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.learning import learn_what_is_new
from app.room import Room
from app.together import Trainers
from core.records import Round
from core.store import open_store
from model.registry import load, publish
from tests.app.test_model_commands import SMALL
from tests.support.bodies import CT, FLIPPED, HEART
from tests.support.review_case import put_case
from tests.support.room import approve_mask
from tests.support.settings import settings_for
from tests.support.versions import put_version

pytestmark = pytest.mark.slow

TRAINING = {"steps_first": 30, "steps_per_case": 5, "validate_every": 10}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room whose trainer has released a first model from two patients."""
    settings = settings_for(tmp_path, model=SMALL, training=TRAINING)
    opened = Room(settings, open_store(settings))
    for patient in ("P-1", "P-2"):
        approve_mask(opened, put_case(opened.store, CT, patient_id=patient), HEART)
    assert learn(opened), newest(opened).verdict
    yield opened
    opened.store.engine.dispose()


def learn(room: Room) -> bool:
    return learn_what_is_new(room, "Heart", Trainers(lambda: False))


def newest(room: Room) -> Round:
    return room.store.learning.rounds("Heart", newest=1)[0]


def rounds(room: Room) -> int:
    return room.store.learning.round_count("Heart")


def in_service(room: Room) -> str:
    released = room.store.learning.released("Heart")
    assert released is not None
    return released.version


def better_one(room: Room) -> str:
    """A second version in service, made of the first."""
    first = load(room.models_folder, in_service(room))
    weights = dict(first.weights)
    weights["fine.head.bias"] = weights["fine.head.bias"] + 0.001
    version = publish(room.models_folder, weights, first.description)
    put_version(room.store, version, 1000)
    assert in_service(room) == version
    return version


def test_a_released_model_has_a_card_that_says_what_it_learned_from(room: Room) -> None:
    version = in_service(room)
    row = room.store.models.find(version)
    described = load(room.models_folder, version).description
    assert described.training_set_hash == row.detail["training_set_hash"]
    assert len(described.training_set_hash) == 64
    assert row.detail["learned_from"] == {"corrections": 1, "judged on": 1}
    figures = newest(room).figures
    assert figures["promoted"] is True
    assert figures["figures"]["dice"] == pytest.approx(row.validation_dice)
    assert list(figures["scores"]) == ["candidate"]


def test_after_a_rollback_the_trainer_waits_for_other_corrections_and_goes_on_from_there(
    room: Room,
) -> None:
    first = in_service(room)
    better_one(room)
    room.store.models.roll_back(first, who="otto", now=room.now())
    before = rounds(room)
    assert not learn(room)
    assert rounds(room) == before
    approve_mask(room, put_case(room.store, CT, patient_id="P-3"), HEART)
    learn(room)
    assert rounds(room) == before + 1
    assert newest(room).parent == first
    assert newest(room).figures["scores"].keys() == {"candidate", "released"}


def test_a_flipped_label_starts_no_round_until_a_second_person_lets_it_in(room: Room) -> None:
    # What the trainer would still try on the same corrections does not belong here.
    room.store.models.roll_back(in_service(room), who="otto", now=room.now())
    before = rounds(room)
    made = approve_mask(room, put_case(room.store, CT, patient_id="P-3"), FLIPPED)
    learn(room)
    assert rounds(room) == before
    room.store.checks.decide(made.id, let_in=True, who="ben", why="a test", now=room.now())
    learn(room)
    assert rounds(room) == before + 1
    assert made.id in newest(room).corrections


def test_while_a_version_is_pinned_nothing_else_goes_into_service(room: Room) -> None:
    pinned = in_service(room)
    room.store.models.pin(pinned, who="otto", now=room.now())
    approve_mask(room, put_case(room.store, CT, patient_id="P-3"), HEART)
    assert not learn(room)
    assert newest(room).parent == pinned
    assert in_service(room) == pinned
    statuses = {v.status for v in room.store.learning.versions("Heart") if v.version != pinned}
    assert statuses <= {"waits"}
