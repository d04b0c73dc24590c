"""The pages say what is doubtful about a prediction, until it is approved."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import pytest

from core.boxed import Boxed
from core.records import Prediction
from core.store import Store
from core.volume import Volume
from review_ui.words import effort_in_words, expected_dice_in_words
from tests.support.review_case import (
    ASSEMBLY,
    MODEL,
    NOW,
    Reviewer,
    box_mask,
    put_case,
    put_dose,
    small_geometry,
)

GEOMETRY = small_geometry((4, 5, 6))
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
BOX = box_mask(GEOMETRY, (slice(1, 3), slice(1, 3), slice(1, 3)))
DOUBTS: dict[str, Any] = {
    "sentences": ["Heart reaches the upper end of the scan; it may be cut off there."],
    "odd": ["cut"],
    "dice": {"value": 0.91, "low": 0.86, "high": 0.94},
    "calibration": {"origin": "synthetic patients", "cases": 40, "model_version": MODEL},
}


def put_doubtful(store: Store, doubts: dict[str, Any]) -> Prediction:
    case_id = put_case(store, CT)
    made = Prediction(
        id="e" * 32,
        case_id=case_id,
        assembly=ASSEMBLY,
        roi_name="Heart",
        model_version=MODEL,
        mask_digest=store.files.write_mask(case_id, "prediction-" + "e" * 32, BOX),
        expected_dice=0.9,
        seconds=1.0,
        created_at=NOW,
        doubts=doubts,
    )
    assert store.cases.predicted(made)
    return made


def test_worklist_and_review_page_tell_doubts_effort_and_expectation(
    store: Store, anna: Reviewer
) -> None:
    made = put_doubtful(store, DOUBTS)
    told = f"Prediction: {DOUBTS['sentences'][0]}"
    (row,) = anna.get("/api/worklist").json["cases"]  # type: ignore[index]
    assert (row["flags"], row["effort"]) == ([told], "some to correct")
    facts = anna.get(f"/api/cases/{made.case_id}").json
    assert facts is not None
    assert facts["flags"] == [told]
    assert facts["prediction"]["expected_dice"] == DOUBTS["dice"]
    assert facts["prediction"]["expected_dice_words"] == (
        "0.91 (0.86 to 0.94 in 9 of 10), from 40 synthetic patients"
    )


def test_the_expected_dose_error_stands_beside_the_figures_of_its_dose(
    store: Store, anna: Reviewer
) -> None:
    made = put_doubtful(store, DOUBTS)
    dose = put_dose(store, made.case_id, Volume(np.ones(GEOMETRY.shape, np.float32), GEOMETRY))
    figures = f"/api/cases/{made.case_id}/figures"
    assert anna.get(figures).json["expected_error_gy"] is None  # type: ignore[index]
    error = {"value": 0.2, "low": 0.1, "high": 0.5}
    store.doubts.add_dose(made.id, dose, {"signs": {}, "error_gy": error})
    store.doubts.add_dose(made.id, dose, {"signs": {}, "error_gy": None})  # the first one stays
    assert anna.get(figures).json["expected_error_gy"] == error  # type: ignore[index]


def test_the_uncertainty_comes_as_a_box_of_entropies(store: Store, anna: Reviewer) -> None:
    made = put_doubtful(store, DOUBTS)
    path = f"/api/cases/{made.case_id}/uncertainty"
    assert anna.get(path).status_code == 404
    values = np.array([[[0, 128], [255, 26]]], np.uint8)
    store.files.write_probability(made.case_id, made.id, Boxed(values, (1, 2, 3), GEOMETRY.shape))
    answer = anna.get(path)
    assert answer.headers["Content-Encoding"] == "gzip"
    body = gzip.decompress(answer.data)
    assert np.frombuffer(body[:24], "<i4").tolist() == [1, 2, 3, 1, 2, 2]
    sure, torn, sure_too, tenth = body[24:]
    assert (sure, torn, sure_too) == (0, 255, 0)
    assert tenth == pytest.approx(255 * 0.4748, abs=1)  # entropy of 26/255 in bits


@pytest.mark.parametrize(
    ("doubts", "words"),
    [
        ({}, ""),
        ({"odd": [], "dice": None}, ""),
        ({"odd": ["nothing"], "dice": None}, "nothing found, contour from scratch"),
        ({"odd": ["cut", "unknown"], "dice": None}, "unusual, look closely"),
        ({"odd": [], "dice": {"value": 0.95}}, "little to correct"),
        ({"odd": ["cut"], "dice": {"value": 0.90}}, "some to correct"),
        ({"odd": [], "dice": {"value": 0.70}}, "much to correct"),
    ],
)
def test_the_effort_is_told_in_words(doubts: dict[str, Any], words: str) -> None:
    assert effort_in_words(doubts) == words


def test_without_an_expectation_no_words_pretend_one() -> None:
    assert expected_dice_in_words({}) == ""
    assert expected_dice_in_words({**DOUBTS, "dice": None}) == ""
