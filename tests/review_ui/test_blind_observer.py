"""A second observer learns nothing of a case from any route before signing, and all of it after."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from core.boxed import Boxed
from core.geometry import Mask
from core.journal import encode_runs, mask_crc32
from core.records import ASSISTED
from core.store import Store
from core.tables import audit
from core.volume import Volume
from review_ui.accounts import create_user
from review_ui.roles import CLOSED_ENDPOINTS, PUBLIC_ENDPOINTS
from tests.support.accounts import create_all_rounder
from tests.support.review_case import (
    MODEL,
    NOW,
    PASSWORD,
    Reviewer,
    put_case,
    put_prediction,
    small_geometry,
)

GEOMETRY = small_geometry()
CT = Volume(np.arange(np.prod(GEOMETRY.shape), dtype=np.int16).reshape(GEOMETRY.shape), GEOMETRY)
RNG = np.random.default_rng(8)
DOSE = Volume(RNG.uniform(1, 9, GEOMETRY.shape).astype(np.float32), GEOMETRY)
# Not to be mistaken for something else: no two of their rows are alike.
PREDICTED, DRAWN, OBSERVED = (
    np.pad(RNG.random((5, 6, 7)) < 0.6, ((2, 3), (3, 3), (4, 3))) for _ in range(3)
)
WRITTEN = b"the structure set that the TPS gets"


def all_roles(app: Flask, store: Store, name: str) -> Reviewer:
    """Somebody who may do everything: a role must open nothing to a second observer."""
    create_all_rounder(app, store, name)
    return Reviewer.log_in(app, name)


def approve(who: Reviewer, base: str, drawn: Mask, seq: int) -> TestResponse:
    return who.post(
        f"{base}/approve",
        tab=who.tab,
        seq=seq,
        voxels=int(drawn.sum()),
        crc32=mask_crc32(drawn),
        slices_seen=[3],
    )


def draw(who: Reviewer, base: str, wanted: Mask, start: Mask | None = None) -> int:
    """Journal what leads from `start` to `wanted`; returns the last number."""
    start = np.zeros_like(wanted) if start is None else start
    steps = [("add", wanted & ~start), ("remove", start & ~wanted)]
    seq = 0
    for tool, where in steps:
        if where.any():
            seq += 1
            body = {"kind": "stroke", "tool": tool, "plane": "axial", "slice": 3}
            runs = encode_runs(np.flatnonzero(where))
            answer = who.post(f"{base}/journal", tab=who.tab, seq=seq, runs=runs, **body)
            assert answer.status_code == 200, answer.text
    return seq


@pytest.fixture
def case_id(app: Flask, anna: Reviewer, store: Store) -> str:
    """A case with a prediction, contoured and approved by anna, delivered, with figures."""
    case_id = put_case(store, CT, dose=DOSE)
    made = put_prediction(store, case_id, PREDICTED)
    undecided = Boxed(np.full((2, 2, 2), 99, np.uint8), (0, 0, 0), GEOMETRY.shape)
    store.files.write_probability(case_id, made.id, undecided)
    anna.open(case_id)
    seq = draw(anna, f"/api/cases/{case_id}", DRAWN, PREDICTED)
    anna.post(
        f"/api/cases/{case_id}/events",
        events=[{"at": "2026-11-23T10:00:00Z", "kind": "open", "detail": {}}],
    )
    assert approve(anna, f"/api/cases/{case_id}", DRAWN, seq).status_code == 200
    approved = store.reviews.correction_of(case_id, "Heart")
    assert approved is not None
    path = store.files.structure_set_path(case_id, approved.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(WRITTEN)
    return case_id


@pytest.fixture
def bert(app: Flask, store: Store) -> Reviewer:
    return all_roles(app, store, "bert")


@pytest.fixture
def phil(app: Flask) -> Reviewer:
    create_user(app, "phil", PASSWORD, "physicist")
    return Reviewer.log_in(app, "phil")


@pytest.fixture
def observation_id(bert: Reviewer, phil: Reviewer, store: Store, case_id: str) -> str:
    """Asked for past the page, which refuses accounts that may read the audit."""
    assert bert.tab != phil.tab
    return store.observations.assign(case_id, "Heart", "bert", who="phil", now=NOW).id


def form(who: Reviewer, path: str, **fields: str) -> int:
    """Status of a form that is sent from a page."""
    data = {"csrf_token": who.csrf_token, **fields}
    return who.client.post(path, data=data).status_code


def secrets_of(store: Store, case_id: str) -> dict[str, bytes]:
    """What tells of the prediction, of the other's contour, or of the arm; as bytes."""
    approved = store.reviews.correction_of(case_id, "Heart")
    assert approved is not None
    assert approved.prediction_id is not None
    entries = store.reviews.entries(case_id, "Heart")
    rows = {"predicted": PREDICTED[3, 4, 4:11], "drawn": DRAWN[3, 4, 4:11]}
    mean = {name: DOSE.values[mask].mean() for name, mask in (("p", PREDICTED), ("d", DRAWN))}
    return {
        "prediction id": approved.prediction_id.encode(),
        "correction id": approved.id.encode(),
        "model": MODEL[:8].encode(),
        "stroke": str(entries[0].payload["runs"]).encode()[:40],
        "structure set": WRITTEN,
        "predicted voxels": rows["predicted"].astype(np.uint8).tobytes()
        + PREDICTED[3, 5, 4:11].astype(np.uint8).tobytes(),
        "predicted mean": f"{mean['p']:.9f}"[:5].encode(),
        "corrected mean": f"{mean['d']:.9f}"[:5].encode(),
        "arm": ASSISTED.encode(),
    }


def everything_told(app: Flask, who: Reviewer, values: dict[str, str]) -> dict[str, bytes]:
    """The whole answer of each route, by method and rule, asked as `who`."""
    told = {}
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC_ENDPOINTS | CLOSED_ENDPOINTS | {"security.logout"}:
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda m: values.get(m[1], "1"), rule.rule)
        for method in (rule.methods or set()) & {"GET", "POST"}:
            answer = who.get(path) if method == "GET" else who.post(path, tab=who.tab)
            zipped = answer.headers.get("Content-Encoding") == "gzip"
            body = gzip.decompress(answer.data) if zipped else answer.data
            told[f"{method} {rule.rule}"] = body + str(answer.headers).encode()
    return told


def values_of(store: Store, case_id: str, observation_id: str) -> dict[str, str]:
    approved = store.reviews.correction_of(case_id, "Heart")
    assert approved is not None
    (delivery,) = store.deliveries.all(case_id=case_id)
    return {
        "case_id": case_id,
        "observation_id": observation_id,
        "correction_id": approved.id,
        "delivery_id": delivery.id,
        "version": MODEL,
        "operation": "pin",
        "decision": "release",
        "name": "TPS",
    }


def test_no_route_tells_a_second_observer_anything_before_signing(
    app: Flask, store: Store, bert: Reviewer, case_id: str, observation_id: str
) -> None:
    secrets = secrets_of(store, case_id)
    values = values_of(store, case_id, observation_id)
    told = everything_told(app, bert, values)
    leaks = [
        f"{route} tells the {name}"
        for route, body in told.items()
        for name, secret in secrets.items()
        if secret in body.replace(values["correction_id"].encode(), b"")
        or (name == "correction id" and secret in body and values["correction_id"] not in route)
    ]
    assert leaks == []
    # The same questions tell all of it to somebody who is no observer: the test can fail.
    open_to = all_roles(app, store, "carla")
    seen = b"".join(everything_told(app, open_to, values).values())
    assert {name for name, secret in secrets.items() if secret not in seen} == set()


def test_the_observers_page_begins_in_the_middle_of_the_scan_with_nothing_on_it(
    bert: Reviewer, case_id: str, observation_id: str
) -> None:
    answer = bert.get(f"/cases/{case_id}")
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith(f"/observations/{observation_id}")
    facts = bert.get(f"/api/observations/{observation_id}").json
    assert facts is not None
    slices, rows, columns = GEOMETRY.shape
    assert facts["start"] == [columns // 2, rows // 2, slices // 2]
    assert (facts["prediction"], facts["flags"], facts["dose"]) == (None, [], False)
    assert bert.get("/api/worklist").json["total"] == 0  # type: ignore[index]
    assert bert.get("/api/next").json == {"next": None}
    assert bert.get(f"/api/cases/{case_id}/figures").json["error"]["kind"] == "blind"  # type: ignore[index]


def test_the_contour_is_kept_apart_and_compared_once_it_is_signed(
    bert: Reviewer, anna: Reviewer, store: Store, case_id: str, observation_id: str
) -> None:
    base = f"/api/observations/{observation_id}"
    bert.post(f"{base}/open", tab=bert.tab)
    assert bert.post(f"{base}/journal", tab=bert.tab, seq=1, kind="undo").status_code == 409
    seq = draw(bert, base, OBSERVED)
    for other in (anna.get(base), anna.get(f"/observations/{observation_id}")):
        assert other.status_code == 404  # nor is the observer's contour anybody else's
    before = anna.get(f"/cases/{case_id}/figures").text
    assert "Dice" in before  # of prediction and correction
    assert "asked" in before

    learned, deliveries = store.learning.learning_set("Heart"), store.deliveries.all()
    assert approve(bert, base, DRAWN, seq).status_code == 409  # not what the node holds
    assert approve(bert, base, OBSERVED, seq).status_code == 200
    assert approve(bert, base, OBSERVED, seq).status_code == 409
    mask = store.files.read_mask(case_id, f"observation-{observation_id}")
    assert np.array_equal(mask, OBSERVED)
    assert store.learning.learning_set("Heart") == learned
    assert store.deliveries.all() == deliveries

    dice = 2 * (OBSERVED & DRAWN).sum() / (OBSERVED.sum() + DRAWN.sum())
    change = DOSE.values[OBSERVED].mean() - DOSE.values[DRAWN].mean()
    for who in (anna, bert):  # all of it is open to the observer now
        page = who.get(f"/cases/{case_id}/figures").text
        row = page.split('id="observers"')[1].split("</table>")[0]
        assert f"Dice {dice:.3f}" in row
        assert f"mean dose {change:+.2f} Gy" in row
    assert bert.get(f"/api/cases/{case_id}/prediction").status_code == 200


def test_who_has_had_the_case_open_cannot_be_a_second_observer(
    app: Flask, phil: Reviewer, store: Store, case_id: str
) -> None:
    create_user(app, "carla", PASSWORD)
    for name, status in (("anna", 409), ("nobody", 409), ("carla", 303), ("carla", 409)):
        assert form(phil, f"/cases/{case_id}/observers", observer=name) == status, name
    (found,) = store.observations.of_case(case_id)
    assert (found.observer, found.assigned_by) == ("carla", "phil")


SHOWN = ("/cases/{}", "/cases/{}/rtstruct", "/cases/{}/figures", "/api/cases/{}/prediction")


@pytest.mark.parametrize("path", [*SHOWN, "/api/cases/{}/journal"])
def test_who_was_shown_anything_of_the_case_cannot_be_a_second_observer(
    app: Flask, phil: Reviewer, case_id: str, path: str
) -> None:
    create_user(app, "carla", PASSWORD)
    assert Reviewer.log_in(app, "carla").get(path.format(case_id)).status_code == 200
    assert form(phil, f"/cases/{case_id}/observers", observer="carla") == 409


def test_who_saw_the_case_in_a_list_or_was_refused_it_can_be_a_second_observer(
    app: Flask, phil: Reviewer, case_id: str
) -> None:
    create_user(app, "carla", PASSWORD)
    carla = Reviewer.log_in(app, "carla")
    assert carla.get("/api/worklist").status_code == 200
    assert carla.get(f"/api/cases/{case_id}/nothing").status_code == 404
    assert form(phil, f"/cases/{case_id}/observers", observer="carla") == 303


def test_who_reads_the_audit_is_not_blinded(
    app: Flask, phil: Reviewer, store: Store, case_id: str
) -> None:
    all_roles(app, store, "bert")
    offered = phil.get(f"/cases/{case_id}/figures").text
    assert ">bert-physician<" in offered
    assert ">bert<" not in offered
    assert form(phil, f"/cases/{case_id}/observers", observer="bert") == 409
    assert store.observations.of_case(case_id) == []

    assert form(phil, f"/cases/{case_id}/observers", observer="bert-physician") == 303
    admin = Reviewer.log_in(app, "bert-admin")
    assert form(admin, "/users/bert-physician/roles", roles="admin") == 422
    assert form(admin, "/users/bert-physician/roles", roles="physicist") == 303
    (found,) = store.observations.of_case(case_id)
    store.observations.withdraw(found.id, who="phil", now=NOW)
    assert form(admin, "/users/bert-physician/roles", roles="admin") == 303


def test_what_is_withdrawn_opens_the_case_and_is_painted_on_no_more(
    bert: Reviewer,
    phil: Reviewer,
    anna: Reviewer,
    store: Store,
    case_id: str,
    observation_id: str,
) -> None:
    base, withdraw = (
        f"/api/observations/{observation_id}",
        f"/observations/{observation_id}/withdraw",
    )
    bert.post(f"{base}/open", tab=bert.tab)
    seq = draw(bert, base, OBSERVED)
    assert withdraw in phil.get(f"/cases/{case_id}/figures").text
    assert withdraw not in anna.get(f"/cases/{case_id}/figures").text
    assert form(bert, withdraw) == 403  # nobody lifts the own blindfold, whatever the roles
    assert bert.get("/audit/").status_code == 403
    assert form(phil, withdraw) == 303

    assert bert.get("/audit/").status_code == 200
    assert bert.get(f"/api/cases/{case_id}/prediction").status_code == 200
    assert bert.get("/").text.count(f"/observations/{observation_id}") == 0
    for refused in (
        approve(bert, base, OBSERVED, seq),
        bert.post(f"{base}/journal", tab=bert.tab, seq=seq + 1, kind="undo"),
        bert.get(f"/observations/{observation_id}"),
    ):
        assert refused.status_code == 409
        assert "withdrawn" in refused.text
    assert form(phil, withdraw) == 409
    assert form(phil, f"/cases/{case_id}/observers", observer="bert") == 409
    row = phil.get(f"/cases/{case_id}/figures").text.split('id="observers"')[1]
    assert "withdrawn" in row.split("</table>")[0]
    with store.engine.connect() as connection:
        query = sa.select(audit.c.who, audit.c.case_id, audit.c.detail)
        told = connection.execute(query.where(audit.c.event == "observer.withdrawn")).all()
    change = {"before": "asked", "after": "withdrawn"}
    assert told == [("phil", case_id, {"observer": "bert", **change})]


def test_what_is_signed_cannot_be_withdrawn(
    bert: Reviewer, phil: Reviewer, store: Store, case_id: str, observation_id: str
) -> None:
    base = f"/api/observations/{observation_id}"
    bert.post(f"{base}/open", tab=bert.tab)
    assert approve(bert, base, OBSERVED, draw(bert, base, OBSERVED)).status_code == 200
    assert form(phil, f"/observations/{observation_id}/withdraw") == 409
    assert form(phil, f"/observations/{'0' * 32}/withdraw") == 404
    (found,) = store.observations.of_case(case_id)
    assert (found.withdrawn_at, found.signed_at is None) == (None, False)


def test_a_case_is_not_passed_on_to_whom_it_is_hidden_from(
    app: Flask, anna: Reviewer, phil: Reviewer, store: Store
) -> None:
    create_user(app, "carla", PASSWORD)
    case_id = put_case(store, CT)
    assert form(phil, f"/cases/{case_id}/observers", observer="carla") == 303
    anna.open(case_id)
    refused = anna.post(f"/api/cases/{case_id}/pass-on", tab=anna.tab, to="carla")
    assert refused.status_code == 409
    assert "second observer" in refused.text
    assert store.cases.get(case_id).assigned_to is None
    (found,) = store.observations.of_case(case_id)
    assert form(phil, f"/observations/{found.id}/withdraw") == 303
    answer = anna.post(f"/api/cases/{case_id}/pass-on", tab=anna.tab, to="carla")
    assert answer.status_code == 200


def test_another_tab_goes_on_and_the_first_one_writes_no_more(
    bert: Reviewer, store: Store, observation_id: str
) -> None:
    base = f"/api/observations/{observation_id}"
    bert.post(f"{base}/open", tab=bert.tab)
    draw(bert, base, OBSERVED)
    draw(bert, base, OBSERVED)  # sent again: counts once
    bert.post(f"{base}/open", tab="f" * 32)
    entry = {
        "kind": "stroke",
        "tool": "add",
        "plane": "axial",
        "slice": 0,
        "runs": encode_runs([1]),
    }
    assert bert.post(f"{base}/journal", tab=bert.tab, seq=2, **entry).status_code == 409
    assert bert.post(f"{base}/renew", tab=bert.tab).status_code == 409
    assert bert.post(f"{base}/journal", tab="f" * 32, seq=3, **entry).status_code == 409  # a gap
    assert bert.post(f"{base}/journal", tab="f" * 32, seq=2, **entry).status_code == 200
    assert [e.seq for e in store.observations.entries(observation_id)] == [1, 2]


def test_slices_that_come_late_end_what_was_begun_on_the_older_scan(
    bert: Reviewer, app: Flask, store: Store
) -> None:
    create_user(app, "phil", PASSWORD, "physicist")
    case_id = put_case(store, CT)
    found = store.observations.assign(case_id, "Heart", "bert", who="phil", now=NOW)
    base = f"/api/observations/{found.id}"
    bert.post(f"{base}/open", tab=bert.tab)
    seq = draw(bert, base, OBSERVED)
    store.cases.assembled(case_id, assembly="b" * 64, instance_count=2, geometry=GEOMETRY, now=NOW)
    assert approve(bert, base, OBSERVED, seq).status_code == 409
    assert bert.post(f"{base}/open", tab=bert.tab).status_code == 409
