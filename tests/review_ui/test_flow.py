"""The ways of a case, as the review page asks for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from flask import Flask

from core.config import Settings
from core.journal import encode_runs, mask_crc32
from core.store import Store
from core.volume import Volume
from review_ui import create_app
from review_ui.accounts import create_user
from review_ui.roles import ADMIN, PHYSICIST, VIEWER
from tests.review_ui.conftest import Prepared
from tests.support.review_case import PASSWORD, Reviewer, box_mask, put_case, small_geometry

GEOMETRY = small_geometry()
BOX = box_mask(GEOMETRY, (slice(3, 7), slice(4, 9), slice(5, 11)))
STROKE = box_mask(GEOMETRY, (slice(3, 4), slice(0, 4), slice(5, 11)))


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    review = settings.review.model_copy(update={"hold_s": 30.0})
    return settings.model_copy(update={"review": review})


@pytest.fixture
def app(settings: Settings, store: Store, clock: Clock) -> Flask:
    return create_app(settings, store, now=clock)


@pytest.fixture
def case_id(store: Store, anna: Reviewer) -> str:
    """A case under anna's review with one stroke."""
    made = put_case(store, Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY), prediction=BOX)
    anna.open(made)
    anna.stroke(made, 1, encode_runs(np.flatnonzero(STROKE)))
    return made


def approve(who: Reviewer, case_id: str) -> None:
    mask = BOX | STROKE
    body = {
        "tab": who.tab,
        "seq": 1,
        "voxels": int(mask.sum()),
        "crc32": mask_crc32(mask),
        "slices_seen": [],
    }
    assert who.post(f"/api/cases/{case_id}/approve", **body).status_code == 200


def facts(who: Reviewer, case_id: str) -> dict[str, Any]:
    found = who.get(f"/api/cases/{case_id}").json
    assert found is not None
    return dict(found)


def test_an_approval_counts_down_and_can_be_undone_until_the_first_try(
    anna: Reviewer, store: Store, case_id: str, clock: Clock
) -> None:
    approve(anna, case_id)
    clock.now += timedelta(seconds=12)
    approved = facts(anna, case_id)["approved"]
    assert (approved["version"], approved["held_s"]) == (1, 18.0)
    assert [d["words"] for d in approved["deliveries"]] == ["leaves for TPS in 18 s"]
    (row,) = anna.get("/api/worklist").json["cases"]  # type: ignore[index]
    assert row["deliveries"] == ["leaves for TPS in 18 s"]
    answer = anna.post(f"/api/cases/{case_id}/take-back", tab=anna.tab, roi="Heart")
    assert answer.json == {"state": "IN_REVIEW"}
    after = facts(anna, case_id)
    assert (after["approved"], after["journal"], after["editable"]) == (None, {"seq": 1}, True)
    assert store.deliveries.all() == []


def test_what_has_begun_to_leave_is_not_undone_but_re_opened(
    anna: Reviewer, store: Store, case_id: str, clock: Clock
) -> None:
    approve(anna, case_id)
    clock.now += timedelta(seconds=31)
    (row,) = store.deliveries.due(now=clock.now)
    store.deliveries.begin(row.id, now=clock.now)
    refused = anna.post(f"/api/cases/{case_id}/take-back", tab=anna.tab, roi="Heart")
    assert (refused.status_code, refused.json["error"]["kind"]) == (409, "state")  # type: ignore[index]
    assert facts(anna, case_id)["may_reopen"] is False
    store.deliveries.sent(row.id, sop_instance_uid="1.2.3", now=clock.now)
    assert facts(anna, case_id)["may_reopen"] is True
    nothing_said = anna.post(f"/api/cases/{case_id}/reopen", roi="Heart", reason="")
    assert (nothing_said.status_code, nothing_said.json["error"]["kind"]) == (422, "reason")  # type: ignore[index]
    opened = anna.post(f"/api/cases/{case_id}/reopen", roi="Heart", reason="apex too low").json
    assert opened is not None
    assert (opened["state"], opened["approved"], opened["editable"]) == ("IN_REVIEW", None, True)
    assert opened["replaces"]["version"] == 1


def test_a_rejected_case_shows_the_reason_and_names_the_next_one(
    anna: Reviewer, store: Store, case_id: str
) -> None:
    other = put_case(store, Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY))
    answer = anna.post(
        f"/api/cases/{case_id}/reject", tab=anna.tab, roi="Heart", reason="breathing artefact"
    )
    assert answer.json == {"state": "REJECTED", "next": other}
    found = facts(anna, case_id)
    access = {"mode": "look", "why": "Rejected by anna: breathing artefact", "offer": ""}
    assert (found["access"], found["may_reopen"]) == (access, True)


@pytest.fixture
def berta(app: Flask) -> Reviewer:
    create_user(app, "berta", PASSWORD)
    return Reviewer.log_in(app, "berta")


def test_a_case_goes_to_an_account_that_may_contour_and_to_no_other(
    app: Flask, anna: Reviewer, berta: Reviewer, case_id: str
) -> None:
    for name, role in (("otto", ADMIN), ("vera", VIEWER), ("phil", PHYSICIST)):
        create_user(app, name, PASSWORD, role)
    assert anna.get(f"/api/cases/{case_id}/colleagues").json == {"colleagues": ["berta", "phil"]}
    for nobody in ("anna", "vera", "otto", "zoe"):
        refused = anna.post(f"/api/cases/{case_id}/pass-on", tab=anna.tab, to=nobody)
        assert refused.status_code == 422, nobody
    assert anna.post(f"/api/cases/{case_id}/pass-on", tab=anna.tab, to="berta").json == {
        "assigned_to": "berta",
        "next": None,
    }
    access = facts(anna, case_id)["access"]
    assert access == {"mode": "ask", "why": "This case is berta's.", "offer": "Edit"}
    assert facts(berta, case_id)["access"]["mode"] == "edit"


def test_a_case_that_somebody_has_open_is_taken_over_only_on_request(
    anna: Reviewer, berta: Reviewer, case_id: str
) -> None:
    access = facts(berta, case_id)["access"]
    assert access["offer"] == "Take over"
    assert berta.open(case_id).status_code == 409
    taken = berta.post(f"/api/cases/{case_id}/open", tab=berta.tab, take_over=True)
    assert taken.status_code == 200
    late = anna.stroke(case_id, 2, encode_runs(np.flatnonzero(BOX)))
    assert "berta has taken" in late.json["error"]["message"]  # type: ignore[index]


def test_a_physicist_contours_and_a_physician_approves(
    app: Flask, anna: Reviewer, case_id: str, prepared: Prepared
) -> None:
    create_user(app, "phil", PASSWORD, PHYSICIST)
    phil = Reviewer.log_in(app, "phil")
    anna.post(f"/api/cases/{case_id}/pass-on", tab=anna.tab, to="phil")
    assert phil.open(case_id).status_code == 200
    assert phil.stroke(case_id, 2, encode_runs(np.flatnonzero(BOX))).status_code == 200
    refused = phil.post(f"/api/cases/{case_id}/reject", tab=phil.tab, roi="Heart", reason="no")
    assert refused.status_code == 403
    assert "Only the role physician may decide" in refused.json["error"]["message"]  # type: ignore[index]
