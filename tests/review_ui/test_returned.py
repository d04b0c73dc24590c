"""What came back after delivery, as the pages and the table tell it."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from core.journal import encode_runs, mask_crc32
from core.records import RETURNED, Correction, Returned
from core.store import Store
from core.volume import Volume
from tests.support.review_case import (
    NOW,
    Reviewer,
    another_object,
    box_mask,
    put_case,
    small_geometry,
)

GEOMETRY = small_geometry((4, 5, 6))
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
BOX = box_mask(GEOMETRY, (slice(1, 3), slice(1, 3), slice(1, 3)))


@pytest.fixture
def approved(anna: Reviewer, store: Store) -> Correction:
    """What anna approved on the only case."""
    case_id = put_case(store, CT)
    anna.open(case_id)
    anna.stroke(case_id, 1, encode_runs(np.flatnonzero(BOX)))
    shown = {"voxels": int(BOX.sum()), "crc32": mask_crc32(BOX), "slices_seen": [1, 2]}
    assert anna.post(f"/api/cases/{case_id}/approve", tab=anna.tab, seq=1, **shown).json
    made = store.reviews.correction_of(case_id, "Heart")
    assert made is not None
    return made


def came_back(store: Store, approved: Correction, **changes: object) -> Returned:
    found = Returned(
        case_id=approved.case_id,
        roi_name="Heart",
        instance_id=another_object(store, approved.case_id, modality="RTSTRUCT", series="1.2.3"),
        matched_by="same_uid",
        compared_with=approved.id,
        dice=0.9,
        sent_cc=600.0,
        returned_cc=612.5,
        added_path_length_mm=84.4,
        note="",
        created_at=NOW,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def test_an_edit_is_shown_on_the_page_of_its_case_with_its_figures(
    anna: Reviewer, store: Store, approved: Correction
) -> None:
    store.returned.record(came_back(store, approved), None)
    page = anna.get(f"/cases/{approved.case_id}").text
    assert "Back from the TPS" in page
    assert "Heart came back edited: Dice 0.900, +12.5 cc of 600.0 cc, 84 mm of contour" in page
    assert "drawn anew; compared." in page


def test_a_case_from_which_nothing_came_back_says_nothing_of_it(
    anna: Reviewer, approved: Correction
) -> None:
    assert "Back from the TPS" not in anna.get(f"/cases/{approved.case_id}").text


def test_what_is_not_learned_from_is_a_flag_on_the_worklist_and_on_the_page(
    anna: Reviewer, store: Store, approved: Correction
) -> None:
    note = "Heart came back without contours; nothing is learned from it."
    store.returned.record(came_back(store, approved, note=note, dice=0.0), None)
    worklist, facts = (
        anna.get("/api/worklist").json,
        anna.get(f"/api/cases/{approved.case_id}").json,
    )
    assert worklist is not None
    assert facts is not None
    assert worklist["cases"][0]["flags"] == facts["flags"] == [f"Not used: {note}"]


def test_what_came_back_as_it_was_sent_raises_no_flag(
    anna: Reviewer, store: Store, approved: Correction
) -> None:
    same = {"dice": 1.0, "returned_cc": 600.0, "added_path_length_mm": 0.0}
    store.returned.record(came_back(store, approved, **same), None)
    worklist = anna.get("/api/worklist").json
    assert worklist is not None
    assert worklist["cases"][0]["flags"] == []
    assert "came back as it was sent: confirmed." in anna.get(f"/cases/{approved.case_id}").text


def test_the_table_has_a_line_for_each_and_says_what_became_of_it(
    anna: Reviewer, store: Store, approved: Correction
) -> None:
    store.returned.record(came_back(store, approved), None)
    learned = replace(approved, id="b" * 32, origin=RETURNED, approved_by="TPS")
    store.returned.record(came_back(store, approved, matched_by="predecessor"), learned)
    answer = anna.get("/report/returned.csv")
    assert answer.mimetype == "text/csv"
    first, second = csv.DictReader(io.StringIO(answer.text))
    assert (first["patient_id"], first["roi"], first["outcome"]) == ("P-001", "Heart", "compared")
    assert float(first["added_path_length_mm"]) == 84.4
    assert (second["matched_by"], second["outcome"]) == ("predecessor", "learned from")


def test_the_review_s_own_figures_stay_those_of_what_was_approved_here(
    anna: Reviewer, store: Store, approved: Correction
) -> None:
    learned = replace(approved, id="b" * 32, origin=RETURNED, approved_by="TPS")
    store.returned.record(came_back(store, approved), learned)
    (row,) = csv.DictReader(io.StringIO(anna.get("/report/dose.csv").text))
    assert row["approved_by"] == "anna"
    facts = anna.get(f"/api/cases/{approved.case_id}").json
    assert facts is not None
    assert facts["approved"]["by"] == "anna"
