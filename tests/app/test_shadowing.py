"""A version in shadow predicts new cases, is measured, and touches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from app import shadowing
from app.room import Room
from core.case import CaseState
from core.errors import ModelUnavailableError
from core.records import ModelVersion, Round
from core.volume import Volume
from model.predict import Prediction
from tests.support.bodies import CT, GEOMETRY, HEART
from tests.support.review_case import MODEL, NOW, put_case, put_dose
from tests.support.room import approve_mask, open_room

TRIAL = "d0" * 32
SHIFTED = np.roll(HEART, 1, axis=2)


@dataclass
class Answers:
    """Stands for a network: proposes the heart one voxel too far left, or fails."""

    failure: Exception | None = None
    asked: int = 0

    def predict(self, *_: object) -> Prediction:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return Prediction(SHIFTED, expected_dice=0.8, probability_mean=0.9, seconds=0.1)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    opened = open_room(tmp_path)
    for number, version in enumerate((MODEL, TRIAL)):
        at = NOW - timedelta(days=2 - number)
        begun = Round(f"{number:032x}", "Heart", (), "RUNNING", 0, 9, None, None, "", at, None)
        opened.store.learning.start_round(begun)
        made = ModelVersion(version, "Heart", None, 0.8, {}, (), at)
        opened.store.learning.finish_round(begun.id, verdict="", now=at, released=made)
    opened.store.models.roll_back(MODEL, who="otto", now=NOW - timedelta(hours=2))
    opened.store.models.run_in_shadow(TRIAL, who="otto", now=NOW - timedelta(hours=1))
    monkeypatch.setattr(shadowing, "load", lambda _root, version: version)
    yield opened
    opened.store.engine.dispose()


def run(room: Room, answers: Answers) -> int:
    """Everything that is due, as the worker does it; returns how much that was."""
    due = room.store.shadows.to_predict("Heart")
    for case, version in due:
        shadowing.predict(room, answers, case.id, "Heart", version)  # type: ignore[arg-type]
    for each in room.store.shadows.to_measure("Heart"):
        shadowing.measure(room, "Heart", each.shadow.id)
    return len(due)


def test_a_new_case_is_predicted_in_shadow_once_and_shows_nothing_of_it(room: Room) -> None:
    case_id = put_case(room.store, CT, prediction=HEART)
    answers = Answers()
    assert run(room, answers) == 1
    assert run(room, answers) == 0
    assert answers.asked == 1
    case = room.store.cases.get(case_id)
    shown = room.store.cases.latest_prediction(case, "Heart")
    assert shown is not None
    assert shown.model_version == MODEL
    assert case.state is CaseState.PREDICTED
    written = {p.name for p in room.store.files.folder(case_id).glob("RS.*")}
    assert written == set()


def test_the_figures_are_those_of_shadow_and_service_against_each_other_and_the_approved(
    room: Room,
) -> None:
    case_id = put_case(room.store, CT, prediction=HEART)
    ramp = np.broadcast_to(np.arange(52, dtype=np.float32), GEOMETRY.shape).copy()
    put_dose(room.store, case_id, Volume(ramp, GEOMETRY))
    run(room, Answers())
    (found,) = room.store.shadows.of(TRIAL)
    assert found.figures.keys() == {"served_version", "against_served"}
    against = found.figures["against_served"]
    overlap = 2 * int((SHIFTED & HEART).sum()) / (2 * int(HEART.sum()))
    assert against["dice"] == pytest.approx(overlap)
    assert against["volume_cc"] == pytest.approx(0.0)
    assert against["mean_gy"] == pytest.approx(1.0, abs=1e-4)  # one column of 1 Gy further left
    approve_mask(room, case_id, HEART)
    run(room, Answers())
    (found,) = room.store.shadows.of(TRIAL)
    assert found.figures["served_version"] == MODEL
    assert found.figures["against_approved"] == against
    assert found.figures["served_against_approved"]["dice"] == 1.0
    assert room.store.shadows.to_measure("Heart") == []


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (ModelUnavailableError("The files of model d0d0 do not match."), "The files of model"),
        (RuntimeError("CUDA out of memory; Doe^Jane"), "RuntimeError"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_a_failure_is_recorded_without_touching_the_case(
    room: Room, failure: Exception, told: str
) -> None:
    case_id = put_case(room.store, CT, prediction=HEART)
    before = room.store.cases.get(case_id)
    answers = Answers(failure)
    assert run(room, answers) == 1
    assert run(room, answers) == 0
    (found,) = room.store.shadows.of(TRIAL)
    assert found.error.startswith(told)
    assert "Doe" not in found.error
    assert found.mask_digest is None
    assert room.store.cases.get(case_id) == before


def test_cases_from_before_and_cases_without_a_real_prediction_are_left_alone(room: Room) -> None:
    put_case(room.store, CT)
    assert run(room, Answers()) == 0
    put_case(room.store, CT, prediction=HEART)
    room.store.models.run_in_shadow(TRIAL, who="otto", now=NOW + timedelta(hours=1))
    assert run(room, Answers()) == 0
    room.store.models.end_shadow(TRIAL, who="otto", now=NOW)
    assert run(room, Answers()) == 0
