"""Dose while painting, and the table for spreadsheets, on doses with known means."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from flask import Flask

from core.geometry import Mask
from core.journal import encode_runs, mask_crc32
from core.plans import DoseOrigin
from core.records import DoseFigure
from core.store import Store
from core.volume import Volume
from review_ui.accounts import create_user
from review_ui.words import structure_in_words
from tests.support.review_case import (
    NOW,
    PASSWORD,
    Reviewer,
    box_mask,
    put_case,
    put_dose,
    put_plan,
    small_geometry,
)

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
PREDICTED = box_mask(GEOMETRY, (slice(2, 6), slice(3, 9), slice(4, 10)))
ADDED = box_mask(GEOMETRY, (slice(6, 8), slice(3, 9), slice(4, 10)))


def ramp() -> Volume:
    """Dose in Gy equal to the slice index."""
    values = np.broadcast_to(
        np.arange(GEOMETRY.shape[0], dtype=np.float32)[:, None, None], GEOMETRY.shape
    )
    return Volume(np.ascontiguousarray(values), GEOMETRY)


def flat(mask: Mask) -> str:
    return encode_runs(np.flatnonzero(mask))


def figures(who: Reviewer, case_id: str) -> dict[str, object]:
    answer = who.get(f"/api/cases/{case_id}/figures").json
    assert answer is not None
    return dict(answer)


def test_the_mean_dose_follows_every_stroke(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT, prediction=PREDICTED, dose=ramp())
    anna.open(case_id)
    before = figures(anna, case_id)
    # Slices 2..5 at 2..5 Gy.
    assert before["prediction"] == pytest.approx(
        {"volume_cc": PREDICTED.sum() * 0.0045, "mean_gy": 3.5, "coverage": 1.0}
    )
    assert before["difference_gy"] == pytest.approx(0.0)
    anna.stroke(case_id, 1, flat(ADDED))
    after = figures(anna, case_id)
    assert after["correction"] == pytest.approx(
        {"volume_cc": (PREDICTED | ADDED).sum() * 0.0045, "mean_gy": 4.5, "coverage": 1.0}
    )
    assert after["difference_gy"] == pytest.approx(1.0)
    assert after["note"] == ""
    anna.step(case_id, 2, "undo")
    assert figures(anna, case_id)["difference_gy"] == pytest.approx(0.0)


def test_without_a_dose_there_are_no_figures_but_a_note(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT, prediction=PREDICTED)
    anna.open(case_id)
    answer = figures(anna, case_id)
    assert answer["correction"] is None
    assert "No dose yet" in str(answer["note"])
    put_dose(store, case_id, ramp())
    assert figures(anna, case_id)["note"] == ""


def test_a_contour_that_leaves_the_dose_grid_is_reported_with_its_coverage(
    anna: Reviewer, store: Store
) -> None:
    half = replace(GEOMETRY, shape=(4, *GEOMETRY.shape[1:]))
    case_id = put_case(
        store, CT, prediction=PREDICTED, dose=Volume(np.full(half.shape, 2.0, np.float32), half)
    )
    anna.open(case_id)
    answer = figures(anna, case_id)
    assert answer["correction"] == pytest.approx(
        {"volume_cc": PREDICTED.sum() * 0.0045, "mean_gy": 2.0, "coverage": 0.5}
    )
    assert "covers 50.0 % of the heart" in str(answer["note"])


def test_names_of_structures_within_a_sentence() -> None:
    names = ("Heart", "Esophagus", "Lung_L", "PTV", "SpinalCord", "GTV 60")
    said = ["heart", "esophagus", "Lung_L", "PTV", "SpinalCord", "GTV 60"]
    assert [structure_in_words(name) for name in names] == said


def test_an_empty_contour_has_no_dose(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT, dose=ramp())
    anna.open(case_id)
    answer = figures(anna, case_id)
    assert answer["prediction"] is None
    assert answer["correction"] is None
    anna.stroke(case_id, 1, flat(ADDED))
    assert figures(anna, case_id)["correction"] == pytest.approx(
        {"volume_cc": ADDED.sum() * 0.0045, "mean_gy": 6.5, "coverage": 1.0}
    )


def figure(case_id: str, source: str, source_id: str, dose_id: int, mean_gy: float) -> DoseFigure:
    return DoseFigure(
        case_id, "Heart", source, source_id, dose_id, 600.0, mean_gy, 0.1, 9.0, 0.75, NOW
    )


def approved_case(anna: Reviewer, store: Store) -> str:
    case_id = put_case(store, CT, prediction=PREDICTED, dose=ramp(), patient_id="=P+1")
    anna.open(case_id)
    anna.stroke(case_id, 1, flat(ADDED))
    mask = PREDICTED | ADDED
    body = {"tab": anna.tab, "seq": 1, "voxels": int(mask.sum()), "crc32": mask_crc32(mask)}
    assert anna.post(f"/api/cases/{case_id}/approve", **body, slices_seen=[]).status_code == 200
    return case_id


def test_the_table_has_one_line_a_case_with_both_means_and_their_difference(
    anna: Reviewer, store: Store
) -> None:
    case_id = approved_case(anna, store)
    made = store.reviews.correction_of(case_id, "Heart")
    assert made is not None
    assert made.prediction_id is not None
    (dose,) = store.instances.attached(case_id, kind="dose")
    store.cases.add_dose_figure(figure(case_id, "prediction", made.prediction_id, dose.id, 3.5))
    store.cases.add_dose_figure(figure(case_id, "correction", made.id, dose.id, 4.5))
    other = put_case(store, CT, patient_id="P-002")

    answer = anna.get("/report/dose.csv")
    assert answer.mimetype == "text/csv"
    rows = {row["case_id"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert set(rows) == {case_id, other}
    row = rows[case_id]
    assert (row["roi"], row["approved_by"], row["coverage"]) == ("Heart", "anna", "0.75")
    assert float(row["mean_predicted_gy"]) == 3.5
    assert float(row["mean_corrected_gy"]) == 4.5
    assert float(row["mean_difference_gy"]) == 1.0
    # 4 slices of 6 x 6 predicted, 2 added: 2 * 4 / (4 + 6).
    assert float(row["dice"]) == pytest.approx(0.8)
    assert row["model_version"].startswith("c0ffee")
    assert rows[other]["mean_difference_gy"] == ""


def test_a_patient_id_is_never_a_formula(anna: Reviewer, store: Store) -> None:
    approved_case(anna, store)
    (row,) = csv.DictReader(io.StringIO(anna.get("/report/dose.csv").text))
    assert row["patient_id"] == "'=P+1"


def test_the_newest_dose_is_the_one_that_counts(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT, prediction=PREDICTED, dose=ramp())
    later = Volume(ramp().values * 2, GEOMETRY)
    put_dose(store, case_id, later)
    anna.open(case_id)
    prediction = figures(anna, case_id)["prediction"]
    assert prediction == pytest.approx(
        {"volume_cc": PREDICTED.sum() * 0.0045, "mean_gy": 7.0, "coverage": 1.0}
    )


def test_a_figure_names_its_plan_and_the_other_doses_stand_beside_it(
    anna: Reviewer, store: Store
) -> None:
    case_id = put_case(store, CT, prediction=PREDICTED)
    put_plan(store, case_id, "1.2.3", label="B1", prescribed_gy=50.0)
    first = put_dose(store, case_id, ramp(), origin=DoseOrigin("PLAN", "PHYSICAL", ("1.2.3",)))
    part = DoseOrigin("FRACTION", "PHYSICAL", ("1.2.3",))
    put_dose(store, case_id, ramp(), origin=part, kind="dose_part")
    second = DoseOrigin("PLAN", "EFFECTIVE", ("1.2.4",))
    put_dose(store, case_id, Volume(ramp().values * 2, GEOMETRY), origin=second)
    (made,) = [p for p in [store.cases.latest_prediction(store.cases.get(case_id), "Heart")] if p]
    store.cases.add_dose_figure(figure(case_id, "prediction", made.id, first, 3.5))
    anna.open(case_id)
    answer = figures(anna, case_id)
    assert answer["dose"] == "Plan not received, effective (RBE-weighted) dose"
    assert answer["other_doses"] == [
        "Plan B1, 50 Gy in 25 fractions: 3.50 Gy of the 75.0 % covered, predicted",
        "Plan B1, 50 Gy in 25 fractions, FRACTION dose: no figure yet",
    ]
    (row,) = csv.DictReader(io.StringIO(anna.get("/report/dose.csv").text))
    assert row["dose"] == answer["dose"]


def test_an_observer_of_another_structure_contours_that_and_is_not_compared(
    app: Flask, anna: Reviewer, store: Store
) -> None:
    """A rule may have decided on the case after its observer was asked."""
    case_id = approved_case(anna, store)
    asked = store.observations.assign(case_id, "Lung_L", "bert", who="phil", now=NOW)
    create_user(app, "bert", PASSWORD)
    page = f"/api/observations/{asked.id}"
    assert Reviewer.log_in(app, "bert").get(page).json["roi"] == "Lung_L"  # type: ignore[index]
    store.observations.take(asked.id, who="bert", tab="t")
    digest = store.files.write_mask(case_id, f"observation-{asked.id}", ADDED)
    store.observations.sign(asked.id, who="bert", tab="t", seq=0, digest=digest, now=NOW)
    row = anna.get(f"/cases/{case_id}/figures").text.split('id="observers"')[1]
    assert "Dice" not in row.split("</table>")[0]
