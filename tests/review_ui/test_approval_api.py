"""Approving: only what both sides hold, then everything at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from core.geometry import Mask
from core.journal import encode_runs, mask_crc32
from core.store import Store
from core.volume import Volume
from review_ui.accounts import create_user
from tests.support.review_case import (
    PASSWORD,
    Reviewer,
    box_mask,
    put_case,
    put_dose,
    small_geometry,
)

GEOMETRY = small_geometry()
PREDICTED = box_mask(GEOMETRY, (slice(3, 7), slice(4, 9), slice(5, 11)))
ADDED = box_mask(GEOMETRY, (slice(3, 4), slice(0, 4), slice(5, 11)))
REMOVED = box_mask(GEOMETRY, (slice(6, 7), slice(4, 9), slice(5, 11)))
CORRECTED = (PREDICTED | ADDED) & ~REMOVED


def flat(mask: Mask) -> str:
    return encode_runs(np.flatnonzero(mask))


@pytest.fixture
def case_id(store: Store, anna: Reviewer) -> str:
    """A case under anna's review with two strokes."""
    made = put_case(
        store, Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY), prediction=PREDICTED
    )
    anna.open(made)
    assert anna.stroke(made, 1, flat(ADDED)).status_code == 200
    assert anna.stroke(made, 2, flat(REMOVED), tool="remove").status_code == 200
    return made


def approve(who: Reviewer, case_id: str, mask: Mask = CORRECTED, **changes: Any) -> TestResponse:
    body = {
        "tab": who.tab,
        "seq": 2,
        "voxels": int(mask.sum()),
        "crc32": mask_crc32(mask),
        "slices_seen": [3, 4, 5, 6],
        **changes,
    }
    return who.post(f"/api/cases/{case_id}/approve", **body)


def unchanged(store: Store, case_id: str) -> bool:
    folder = store.files.folder(case_id)
    return (
        store.cases.get(case_id).state == "IN_REVIEW"
        and store.cases.get(case_id).split is None
        and store.reviews.correction_of(case_id, "Heart") is None
        and store.deliveries.all() == []
        and not list(folder.glob("correction-*"))
    )


def test_approval_moves_the_state_assigns_the_split_and_queues_the_delivery(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    answer = approve(anna, case_id)
    assert answer.json == {"state": "APPROVED", "next": None}
    current = store.cases.get(case_id)
    assert current.state == "APPROVED"
    assert current.split == "train"
    made = store.reviews.correction_of(case_id, "Heart")
    assert made is not None
    assert (made.approved_by, made.journal_seq, made.slices_seen) == ("anna", 2, (3, 4, 5, 6))
    kept = store.files.read_mask(case_id, f"correction-{made.id}", digest=made.mask_digest)
    np.testing.assert_array_equal(kept, CORRECTED)
    (delivery,) = store.deliveries.all()
    assert (delivery.destination, delivery.state) == ("TPS", "QUEUED")
    assert delivery.correction_id == made.id
    status = anna.get("/api/status").json
    assert status is not None
    assert [(d["patient"], d["words"]) for d in status["deliveries"]] == [
        ("Synthetic, Alma", "queued for TPS")
    ]


@pytest.mark.parametrize(
    "changes",
    [{"crc32": 12345}, {"voxels": 1}, {"seq": 1}],
    ids=["other checksum", "other count", "a stroke was left out"],
)
def test_an_approval_of_something_else_is_refused_and_nothing_changes(
    anna: Reviewer, store: Store, case_id: str, changes: dict[str, Any]
) -> None:
    answer = approve(anna, case_id, **changes)
    assert answer.status_code == 409
    assert unchanged(store, case_id)


def test_an_empty_structure_is_not_approved(anna: Reviewer, store: Store, case_id: str) -> None:
    everything = np.ones(GEOMETRY.shape, bool)
    assert anna.stroke(case_id, 3, flat(everything), tool="remove").status_code == 200
    answer = approve(anna, case_id, ~everything, seq=3)
    assert answer.status_code == 422
    assert "no voxels" in answer.json["error"]["message"]  # type: ignore[index]
    assert unchanged(store, case_id)


def test_only_the_tab_that_holds_the_case_approves_it(
    app: Flask, anna: Reviewer, store: Store, case_id: str
) -> None:
    create_user(app, "berta", PASSWORD)
    berta = Reviewer.log_in(app, "berta")
    assert approve(berta, case_id).status_code == 409
    assert approve(anna, case_id, tab="f" * 32).status_code == 409
    assert store.cases.get(case_id).state == "IN_REVIEW"
    assert store.deliveries.all() == []


def test_an_approved_case_is_closed(anna: Reviewer, store: Store, case_id: str) -> None:
    approve(anna, case_id)
    assert anna.stroke(case_id, 3, flat(ADDED)).status_code == 409
    assert anna.open(case_id).status_code == 409
    assert approve(anna, case_id).status_code == 409
    assert len(store.deliveries.all()) == 1
    facts = anna.get(f"/api/cases/{case_id}").json
    assert facts is not None
    assert facts["editable"] is False
    assert facts["approved"]["by"] == "anna"
    assert facts["approved"]["deliveries"][0]["words"] == "queued for TPS"


def test_an_approval_names_the_next_case_that_waits(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    ct = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
    waiting = put_case(store, ct, patient_id="P-002")
    assert approve(anna, case_id).json == {"state": "APPROVED", "next": waiting}


def test_a_case_without_a_prediction_is_contoured_from_scratch(
    anna: Reviewer, store: Store
) -> None:
    ct = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
    case_id = put_case(store, ct)
    assert anna.open(case_id).json["prediction"] is None  # type: ignore[index]
    anna.stroke(case_id, 1, flat(ADDED))
    assert approve(anna, case_id, ADDED, seq=1).status_code == 200
    made = store.reviews.correction_of(case_id, "Heart")
    assert made is not None
    assert made.prediction_id is None
    np.testing.assert_array_equal(store.files.read_mask(case_id, f"correction-{made.id}"), ADDED)


def test_a_prediction_that_comes_while_a_case_is_open_does_not_replace_the_one_under_review(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    shown = anna.get(f"/api/cases/{case_id}").json
    assert shown is not None
    first = shown["prediction"]["id"]
    put_dose(store, case_id, Volume(np.ones(GEOMETRY.shape, np.float32), GEOMETRY))
    again = anna.get(f"/api/cases/{case_id}").json
    assert again is not None
    assert again["prediction"]["id"] == first
    assert approve(anna, case_id).status_code == 200
    made = store.reviews.correction_of(case_id, "Heart")
    assert made is not None
    assert made.prediction_id == first
