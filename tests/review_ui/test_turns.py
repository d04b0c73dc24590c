"""Several structures of a case, as the review page asks for them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from core.journal import encode_runs, mask_crc32
from core.store import Store
from core.volume import Volume
from tests.support.review_case import (
    ROUTING,
    Reviewer,
    another_object,
    box_mask,
    put_case,
    put_prediction,
    small_geometry,
)

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
HEART = box_mask(GEOMETRY, (slice(3, 7), slice(4, 9), slice(5, 11)))
GULLET = box_mask(GEOMETRY, (slice(2, 8), slice(9, 11), slice(7, 9)))
STROKE = box_mask(GEOMETRY, (slice(3, 4), slice(0, 4), slice(5, 11)))


@pytest.fixture
def case_id(store: Store) -> str:
    routing = replace(ROUTING, structures=("Heart", "Esophagus"))
    made = put_case(store, CT, prediction=HEART, routing=routing)
    put_prediction(store, made, GULLET, roi_name="Esophagus")
    return made


def facts(who: Reviewer, case_id: str) -> dict[str, Any]:
    found = who.get(f"/api/cases/{case_id}").json
    assert found is not None
    return dict(found)


def turn(who: Reviewer, case_id: str, roi: str) -> Any:
    return who.post(f"/api/cases/{case_id}/turn", roi=roi)


def contour(who: Reviewer, case_id: str, base: np.ndarray) -> None:
    """One stroke on what is proposed, and the approval of both."""
    who.open(case_id)
    assert who.stroke(case_id, 1, encode_runs(np.flatnonzero(STROKE))).status_code == 200
    mask = base | STROKE
    body = {"seq": 1, "voxels": int(mask.sum()), "crc32": mask_crc32(mask), "slices_seen": []}
    answer = who.post(f"/api/cases/{case_id}/approve", tab=who.tab, **body)
    assert answer.status_code == 200, answer.text


def words(who: Reviewer, case_id: str) -> list[tuple[str, str]]:
    return [(each["roi"], each["words"]) for each in facts(who, case_id)["structures"]]


def test_each_structure_of_the_rule_is_contoured_on_what_was_proposed_for_it(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    assert words(anna, case_id) == [
        ("Heart", "ready for review"),
        ("Esophagus", "ready for review"),
    ]
    contour(anna, case_id, HEART)
    assert words(anna, case_id) == [("Heart", "approved"), ("Esophagus", "ready for review")]
    (row,) = anna.get("/api/worklist").json["cases"]  # type: ignore[index]
    assert (row["roi"], row["structures"]) == ("Heart", "1 of 2 structures approved")

    turned = turn(anna, case_id, "Esophagus").json
    assert (turned["roi"], turned["state"], turned["journal"]) == (
        "Esophagus",
        "PREDICTED",
        {"seq": 0},
    )
    contour(anna, case_id, GULLET)
    assert words(anna, case_id) == [("Heart", "approved"), ("Esophagus", "approved")]
    (row,) = anna.get("/api/worklist").json["cases"]  # type: ignore[index]
    assert (row["roi"], row["structures"]) == ("Esophagus", "2 of 2 structures approved")
    assert len(store.deliveries.all(case_id=case_id)) == 2


def test_time_and_journal_are_told_of_the_structure_that_is_open(
    anna: Reviewer, case_id: str
) -> None:
    contour(anna, case_id, HEART)
    seconds = ["2026-11-30T08:00:00Z", "2026-11-30T08:00:09Z"]
    events = [{"at": at, "kind": "position", "detail": {}} for at in seconds]
    url = f"/api/cases/{case_id}/events"
    assert anna.post(url, events=events).json == {"kept": 2, "spent_s": 9.0}
    turn(anna, case_id, "Esophagus")
    later = [{"at": "2026-11-30T09:00:00Z", "kind": "open", "detail": {}}]
    assert anna.post(url, events=later).json == {"kept": 1, "spent_s": 0.0}
    assert anna.get(f"/api/cases/{case_id}/journal").json == []


def test_who_does_not_have_the_case_is_offered_no_other_structure(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    assert facts(anna, case_id)["may_turn"] is True
    now = datetime.now(UTC)
    store.reviews.open(case_id, "Heart", who="berta", tab="t" * 8, now=now, lock_s=600)
    assert facts(anna, case_id)["may_turn"] is False
    refused = turn(anna, case_id, "Esophagus")
    assert (refused.status_code, refused.json["error"]["kind"]) == (409, "locked")
    assert facts(anna, case_id)["roi"] == "Heart"


def test_a_structure_that_the_rule_does_not_name_is_refused_in_a_sentence(
    anna: Reviewer, case_id: str
) -> None:
    refused = turn(anna, case_id, "Lung_L")
    assert (refused.status_code, refused.json["error"]["kind"]) == (409, "state")
    assert "names Heart, Esophagus" in refused.json["error"]["message"]


def test_the_table_of_doses_has_a_line_for_each_structure_that_was_approved(
    anna: Reviewer, case_id: str
) -> None:
    contour(anna, case_id, HEART)
    turn(anna, case_id, "Esophagus")
    text = anna.get("/report/dose.csv").text
    rows = [(r["roi"], r["approved_by"], r["dice"]) for r in csv.DictReader(io.StringIO(text))]
    both = 2 * int(HEART.sum()) / (int(HEART.sum()) + int((HEART | STROKE).sum()))
    assert sorted(rows) == [("Esophagus", "", ""), ("Heart", "anna", f"{both:.6g}")]


def test_slices_that_come_late_are_told_of_at_whichever_structure_the_case_stands(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    contour(anna, case_id, HEART)
    turn(anna, case_id, "Esophagus")
    another_object(store, case_id)
    (row,) = anna.get("/api/worklist").json["cases"]  # type: ignore[index]
    late = "1 slice(s) came after the review began; they are not part of it."
    assert late in row["flags"]
    assert late in facts(anna, case_id)["flags"]


def test_each_delivery_says_of_which_structure_it_is(anna: Reviewer, case_id: str) -> None:
    contour(anna, case_id, HEART)
    turn(anna, case_id, "Esophagus")
    contour(anna, case_id, GULLET)
    (row,) = anna.get("/api/worklist").json["cases"]  # type: ignore[index]
    assert sorted(row["deliveries"]) == ["Esophagus queued for TPS", "Heart queued for TPS"]
    page = anna.get("/deliveries/").text
    assert ">Heart</div>" in page
    assert ">Esophagus</div>" in page


def test_a_case_of_one_structure_offers_nothing_to_turn_to(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT, prediction=HEART)
    assert facts(anna, case_id)["structures"] == []
    (row,) = anna.get("/api/worklist").json["cases"]  # type: ignore[index]
    assert row["structures"] == ""
