"""Doubts lie with a prediction before anybody looks, and learn from what was approved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app import dosing
from app.checking import check_what_is_new
from app.doubting import calibration_of, doubts_of
from app.predicting import predict
from app.room import Room
from core.boxed import Boxed
from core.records import ModelVersion, Prediction, Round
from core.volume import Volume
from model.calibration import LEAST_SITE_CASES, SITE, SYNTHETIC, calibrate, write_calibration
from model.predict import Predictor
from model.registry import ModelDescription, publish
from model.uncertainty import Place
from tests.app.made_prediction import made_prediction
from tests.model.doubtful import SURE, outcomes
from tests.support.bodies import CT, GEOMETRY, HEART
from tests.support.brightness import brightness_cascade, set_bias
from tests.support.review_case import MODEL, put_case, put_dose
from tests.support.room import approve_mask, open_room
from tests.support.settings import config_of

CHILD = "d0" * 32


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    opened = open_room(tmp_path)
    yield opened
    opened.store.engine.dispose()


def ship(room: Room, version: str = MODEL) -> None:
    made = calibrate(version, outcomes(np.random.default_rng(0), 120))
    assert made is not None
    write_calibration(room.models_folder, made)


def record(room: Room, number: int) -> Prediction:
    """A prediction as the worker keeps it: the heart, and a byte of doubt all around it."""
    case_id = put_case(room.store, CT, patient_id=f"P-{number:03}")
    name = f"{number:032x}"
    doubts = doubts_of(room, "Heart", MODEL, SURE)
    made = made_prediction(room, case_id, HEART, name=name, model_version=MODEL, doubts=doubts)
    boxed = Boxed(np.where(HEART, 255, 64).astype(np.uint8), (0, 0, 0), HEART.shape)
    room.store.files.write_probability(case_id, name, boxed)
    return made


def measure_and_check(room: Room) -> None:
    for due in room.store.cases.dose_due():
        dosing.measure(room, due)
    check_what_is_new(room, "Heart")


def test_a_prediction_that_finds_nothing_says_so_before_anybody_opens_it(room: Room) -> None:
    config = config_of(room.settings.model)
    cascade = brightness_cascade(config)
    set_bias(cascade, -100.0)
    described = ModelDescription(
        "Heart", config, "0.1.0", None, (), {}, "2026-01-01T00:00:00+00:00"
    )
    version = publish(room.models_folder, cascade.state_dict(), described)
    case_id = put_case(room.store, CT)
    made = predict(room, Predictor(room.settings.model), case_id, "Heart", version)
    kept = room.store.cases.prediction(made).doubts
    assert kept["sentences"] == ["No Heart was found in this scan."]
    assert (kept["odd"], kept["dice"], kept["calibration"]) == (["nothing"], None, None)
    boxed = room.store.files.read_probability(case_id, made)
    assert boxed is not None
    assert boxed.values.size == 0


def test_what_synthetic_patients_taught_is_used_and_named(room: Room) -> None:
    ship(room)
    doubts = doubts_of(room, "Heart", MODEL, SURE)
    assert doubts["sentences"] == []
    assert doubts["dice"]["low"] < doubts["dice"]["value"] < doubts["dice"]["high"]
    assert doubts["calibration"] == {"origin": SYNTHETIC, "cases": 120, "model_version": MODEL}


def test_of_an_unusual_prediction_nothing_is_promised(room: Room) -> None:
    ship(room)
    odd = replace(SURE, place=Place(600.0, -80.0, -20.0, 0.3, 30.0))
    doubts = doubts_of(room, "Heart", MODEL, odd)
    assert doubts["odd"] == ["unknown"]
    assert "too far to the right" in doubts["sentences"][0]
    assert doubts["dice"] is None


def released(room: Room, version: str, parent: str | None, number: int, spacing: float) -> None:
    now, detail = room.now(), {"config": {"fine": {"spacing_mm": [spacing] * 3}}}
    begun = Round(f"{number:032x}", "Heart", (), "RUNNING", 0, 9, None, None, "", now, None)
    room.store.learning.start_round(begun)
    made = ModelVersion(version, "Heart", parent, 0.8, {}, (), now, detail=detail)
    room.store.learning.finish_round(begun.id, verdict="", now=now, released=made)


def test_a_version_without_its_own_calibration_uses_that_of_its_parent(room: Room) -> None:
    released(room, MODEL, None, 0, 4.0)
    released(room, CHILD, MODEL, 1, 4.0)
    assert calibration_of(room, "Heart", CHILD) is None
    ship(room)
    found = calibration_of(room, "Heart", CHILD)
    assert found is not None
    assert found.model_version == MODEL


def test_the_calibration_of_other_networks_promises_nothing_for_these(room: Room) -> None:
    ship(room)
    released(room, MODEL, None, 0, 4.0)
    released(room, CHILD, MODEL, 1, 3.0)
    assert calibration_of(room, "Heart", MODEL) is not None
    assert calibration_of(room, "Heart", CHILD) is None


def test_a_damaged_calibration_promises_nothing(room: Room) -> None:
    ship(room)
    (room.models_folder / MODEL / "calibration.json").write_text("{}")
    assert doubts_of(room, "Heart", MODEL, SURE)["calibration"] is None


def test_twenty_approved_cases_recalibrate_dice_and_dose(room: Room) -> None:
    """Each prediction was corrected by the same slab: their Dice is one known number."""
    ship(room)
    approved = HEART.copy()
    approved[:10] = False
    known = 2.0 * approved.sum() / (approved.sum() + HEART.sum())
    ramp = np.broadcast_to(np.arange(24.0)[:, None, None], GEOMETRY.shape).astype(np.float32)
    for number in range(LEAST_SITE_CASES):
        made = record(room, number)
        put_dose(room.store, made.case_id, Volume(ramp, GEOMETRY))
        approve_mask(room, made.case_id, approved)
        if number == LEAST_SITE_CASES - 2:
            measure_and_check(room)
            before = calibration_of(room, "Heart", MODEL)
            assert before is not None
            assert before.origin == SYNTHETIC
    measure_and_check(room)
    found = calibration_of(room, "Heart", MODEL)
    assert found is not None
    assert (found.origin, found.cases) == (SITE, LEAST_SITE_CASES)
    expected = found.expected(SURE)
    assert expected is not None
    assert (expected.value, expected.low, expected.high) == pytest.approx((known,) * 3)
    (came, *_) = room.store.doubts.came_out("Heart")
    assert came.dice == pytest.approx(known)
    assert came.dose_error_gy is not None
    signs = came.doubts["dose"][str(came.dose_instance_id)]["signs"]
    assert signs["mean_gy"] == pytest.approx(ramp[HEART].mean(), abs=1e-3)
    assert came.dose_error_gy == pytest.approx(
        abs(ramp[HEART].mean() - ramp[approved].mean()), abs=1e-3
    )
