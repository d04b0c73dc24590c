"""The review page follows what the rules decided for each case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask

from core.config import Settings, StructureSettings
from core.database import writing
from core.journal import encode_runs, mask_crc32
from core.records import DoseFigure, Routing
from core.rules import for_training
from core.store import Store
from core.volume import Volume
from review_ui import create_app
from tests.support.review_case import (
    NOW,
    ROUTING,
    Reviewer,
    box_mask,
    put_case,
    put_dose,
    small_geometry,
)

GEOMETRY = small_geometry((4, 5, 6))
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
BOX = box_mask(GEOMETRY, (slice(1, 3), slice(1, 3), slice(1, 3)))
LIVER = StructureSettings(name="Liver", interpreted_type="ORGAN", colour=(10, 200, 30))


@pytest.fixture
def settings(tmp_path: Path, settings: Settings) -> Settings:
    """A clinic that contours two organs."""
    return settings.model_copy(update={"structures": (*settings.structures, LIVER)})


@pytest.fixture
def app(settings: Settings, store: Store) -> Flask:
    return create_app(settings, store)


def cases_of(who: Reviewer) -> list[dict[str, Any]]:
    answer = who.get("/api/worklist").json
    assert answer is not None
    return list(answer["cases"])


def approve_box(who: Reviewer, case_id: str) -> Any:
    who.open(case_id)
    assert who.stroke(case_id, 1, encode_runs(np.flatnonzero(BOX))).status_code == 200
    shown = {"voxels": int(BOX.sum()), "crc32": mask_crc32(BOX), "slices_seen": [1, 2]}
    return who.post(f"/api/cases/{case_id}/approve", tab=who.tab, seq=1, **shown)


def test_a_case_is_reviewed_for_the_structure_its_rule_names_first(
    anna: Reviewer, store: Store
) -> None:
    """Not for the first of config.yaml: a liver must never be learned as a heart."""
    routing = Routing("abdomen", ("Liver", "Heart"), ("TPS",), "normal", "protocol_name fits Abd*")
    dose = Volume(np.ones(GEOMETRY.shape, np.float32), GEOMETRY)
    case_id = put_case(store, CT, dose=dose, routing=routing)
    facts = anna.get(f"/api/cases/{case_id}").json
    assert facts is not None
    assert (facts["roi"], facts["colour"]) == ("Liver", [10, 200, 30])
    assert "Liver review" in anna.get(f"/cases/{case_id}").text
    assert [row["roi"] for row in cases_of(anna)] == ["Liver"]
    assert approve_box(anna, case_id).status_code == 200
    figures = anna.get(f"/api/cases/{case_id}/figures").json
    assert figures is not None
    assert figures["correction"]["volume_cc"] == pytest.approx(GEOMETRY.volume_cc(BOX))
    assert store.reviews.correction_of(case_id, "Heart") is None
    approved = store.reviews.correction_of(case_id, "Liver")
    assert approved is not None
    kept = store.files.read_mask(case_id, f"correction-{approved.id}")
    np.testing.assert_array_equal(kept, BOX)


def test_other_doses_are_told_of_the_structure_of_the_case(anna: Reviewer, store: Store) -> None:
    """The heart's mean dose beside a liver would be taken for the liver's."""
    routing = Routing("abdomen", ("Liver", "Heart"), ("TPS",), "normal", "it asks for nothing")
    case_id = put_case(store, CT, prediction=BOX, routing=routing)  # of the heart
    dose = Volume(np.ones(GEOMETRY.shape, np.float32), GEOMETRY)
    for _ in range(2):
        put_dose(store, case_id, dose)
    for due in store.cases.dose_due():
        store.cases.add_dose_figure(
            DoseFigure(
                case_id, due.roi_name, due.source, due.source_id, due.dose_instance_id,
                1.0, 1.0, 1.0, 1.0, 1.0, NOW,
            )
        )  # fmt: skip
    answer = anna.get(f"/api/cases/{case_id}/figures").json
    assert answer is not None
    assert answer["other_doses"] == ["Plan not recorded: no figure yet"]


def test_what_was_painted_stays_on_the_page_when_a_rule_comes_later(
    anna: Reviewer, store: Store
) -> None:
    """The rule names the liver first; the heart was painted before there were rules."""
    case_id = put_case(store, CT, routing=None)
    anna.open(case_id)
    assert anna.stroke(case_id, 1, encode_runs(np.flatnonzero(BOX))).status_code == 200
    store.cases.routed(case_id, Routing("abdomen", ("Liver", "Heart"), ("TPS",), "normal", "all"))
    facts = anna.get(f"/api/cases/{case_id}").json
    assert facts is not None
    assert (facts["roi"], facts["journal"]["seq"]) == ("Heart", 1)
    assert store.cases.get(case_id).routing == Routing(
        "abdomen", ("Heart", "Liver"), ("TPS",), "normal", "all"
    )


def test_strokes_of_one_structure_are_never_those_of_another(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT, routing=None)
    desk = anna.client.application.extensions["recontour"]
    before = store.cases.get(case_id)
    assert desk.memory.recall(before).layer is not None
    after = replace(before, routing=replace(ROUTING, structures=("Liver",)))
    assert desk.memory.recall(after) is not desk.memory.recall(before)


def test_a_case_that_was_imported_to_be_learned_from_goes_nowhere(
    anna: Reviewer, store: Store
) -> None:
    case_id = put_case(store, CT, routing=for_training("Heart"))
    answer = approve_box(anna, case_id)
    assert answer.status_code == 409
    assert "imported to be learned from" in answer.json["error"]["message"]
    assert store.cases.get(case_id).state == "IN_REVIEW"


def test_the_page_says_which_rule_decided_and_why(anna: Reviewer, store: Store) -> None:
    routing = Routing("whole thorax", ("Heart",), ("TPS",), "low", "study_description fits Thor*")
    page = anna.get(f"/cases/{put_case(store, CT, routing=routing)}").text
    assert "whole thorax, low: study_description fits Thor*" in page


def test_urgent_cases_stand_on_top_with_a_mark_until_they_are_finished(
    anna: Reviewer, store: Store
) -> None:
    urgent = put_case(store, CT, routing=replace(ROUTING, priority="urgent"))
    later = put_case(store, CT)
    with writing(store.engine) as connection:
        connection.execute(
            sa.text("UPDATE \"case\" SET created_at = '2026-01-01 00:00:00' WHERE id = :id"),
            {"id": urgent},
        )
    with_mark = [(row["id"], row["urgent"]) for row in cases_of(anna)]
    assert with_mark == [(urgent, True), (later, False)]
    assert approve_box(anna, urgent).json["next"] == later
    assert not any(row["urgent"] for row in cases_of(anna))


def test_the_next_case_is_the_most_urgent_that_waits(anna: Reviewer, store: Store) -> None:
    now = put_case(store, CT)
    put_case(store, CT, routing=replace(ROUTING, priority="low"))
    put_case(store, CT)
    urgent = put_case(store, CT, routing=replace(ROUTING, priority="urgent"))
    assert approve_box(anna, now).json["next"] == urgent


def test_nothing_is_approved_that_no_rule_sends_anywhere(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT, routing=None)
    answer = approve_box(anna, case_id)
    assert answer.status_code == 409
    assert answer.json["error"]["kind"] == "no_rule"
    assert "No rule says where" in answer.json["error"]["message"]
    assert store.cases.get(case_id).state == "IN_REVIEW"
    store.cases.routed(case_id, ROUTING)
    shown = {"voxels": int(BOX.sum()), "crc32": mask_crc32(BOX), "slices_seen": [1, 2]}
    again = anna.post(f"/api/cases/{case_id}/approve", tab=anna.tab, seq=1, **shown)
    assert again.json == {"state": "APPROVED", "next": None}
