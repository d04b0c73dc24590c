"""Whatever is sent to whatever route: a refusal in words, never a crash, never another's case."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from flask import Flask

from core.store import Store
from core.volume import Volume
from review_ui.accounts import create_user
from review_ui.security import LARGEST_BODY_BYTES
from tests.support.accounts import give_every_role
from tests.support.review_case import NOW, PASSWORD, Reviewer, put_case, small_geometry

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
LEAVES = {"security.logout", "security.login"}

BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "application/json"),
    "no JSON": (b"{'tab': 1", "application/json"),
    "no UTF-8": (b'{"tab": "\xff\xfe"}', "application/json"),
    "a lone surrogate": (b'{"tab": "\\ud800", "seq": 1, "kind": "undo"}', "application/json"),
    "a list": (b"[1, 2, 3]", "application/json"),
    "a number too large": (b'{"tab": 1e400, "seq": 1' + b"0" * 5000 + b"}", "application/json"),
    "nested": (b'{"tab":' * 5000 + b"1" + b"}" * 5000, "application/json"),
    "not a number": (b'{"seq": NaN, "voxels": -Infinity}', "application/json"),
    "a NUL": (b'{"tab": "\\u0000", "to": "\\u0000", "reason": "\\u0000"}', "application/json"),
    "a form": (
        b"tab=%00%ff&roles=%00&username=%00&reason=%00",
        "application/x-www-form-urlencoded",
    ),
    "many fields": (b"a=1&" * 20000, "application/x-www-form-urlencoded"),
    "half a file": (
        b'--x\r\nContent-Disposition: form-data; name="a',
        "multipart/form-data; boundary=x",
    ),
    "another kind": (b"<a/>", "application/xml"),
}
PARAMETERS = {
    "up": "..%2f..%2f..%2fetc%2fpasswd",
    "dots": "....",
    "a NUL": "%00",
    "no UTF-8": "%ff%fe",
    "very long": "a" * 4000,
    "a digit too large": "9" * 400,
    "a template": "%7B%7B7*7%7D%7D",
    "SQL": "'%20OR%201%3D1--",
    "a known length": "0" * 32,
}


def paths(app: Flask, method: str, value: str) -> Iterator[tuple[str, str]]:
    """Rule and address of every route of a method, `value` in place of each parameter."""
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or ()) and rule.endpoint not in LEAVES:
            yield rule.rule, re.sub(r"<(?:\w+:)?\w+>", value, rule.rule)


@pytest.fixture
def omnia(anna: Reviewer, store: Store) -> Reviewer:
    """Somebody whom no role stops, so that the routes themselves are reached."""
    give_every_role(store, "anna")
    return anna


def test_no_body_makes_any_route_crash(app: Flask, omnia: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT)
    crashed = []
    for rule, path in paths(app, "POST", case_id):
        for name, (body, kind) in BODIES.items():
            headers = {"X-CSRFToken": omnia.csrf_token}
            answer = omnia.client.post(path, data=body, content_type=kind, headers=headers)
            if answer.status_code >= 500:
                crashed.append(f"{rule} answered {answer.status_code} to {name}")
    assert crashed == []


def test_a_number_beyond_what_the_database_holds_is_refused(anna: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT)
    anna.open(case_id)
    contour = {"tab": anna.tab, "seq": 0, "voxels": 0, "crc32": 0, "slices_seen": [0]}
    for wrong in ({"seq": 2**63}, {"voxels": 2**31}, {"slices_seen": [10**30]}):
        answer = anna.post(f"/api/cases/{case_id}/approve", **{**contour, **wrong})
        assert answer.status_code == 422, wrong
    assert anna.step(case_id, 2**63, "undo").status_code == 422


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_address_makes_any_route_crash_or_leave_its_folder(
    app: Flask, omnia: Reviewer, method: str
) -> None:
    wrong = []
    for name, value in PARAMETERS.items():
        for rule, path in paths(app, method, value):
            if path == rule:
                continue
            headers = {"X-CSRFToken": omnia.csrf_token}
            answer = omnia.client.open(path, method=method, headers=headers, json={})
            if answer.status_code >= 500 or b"root:" in answer.data:
                wrong.append(f"{method} {rule} answered {answer.status_code} to {name}")
    assert wrong == []


def test_no_query_makes_any_page_crash(app: Flask, omnia: Reviewer, store: Store) -> None:
    case_id = put_case(store, CT)
    keys = ("page", "state", "q", "who", "event", "case", "since", "until", "user", "roi", "centre")
    crashed = []
    for value in ("-1", "%00", "%ff", "9" * 30, "1e9", "0001-01-01", "9999-12-31", "[]", ""):
        query = "&".join(f"{key}={value}" for key in keys)
        for rule, path in paths(app, "GET", case_id):
            answer = omnia.client.get(f"{path}?{query}", buffered=True)
            if answer.status_code >= 500:
                crashed.append(f"{rule} answered {answer.status_code} to {value!r}")
    assert crashed == []


def test_every_route_refuses_a_body_that_is_too_large_unread(app: Flask, omnia: Reviewer) -> None:
    taken = []
    for rule, path in paths(app, "POST", "0" * 32):
        answer = omnia.client.post(
            path,
            data=b"",
            content_type="application/json",
            headers={"X-CSRFToken": omnia.csrf_token},
            environ_overrides={"CONTENT_LENGTH": str(LARGEST_BODY_BYTES + 1)},
        )
        if answer.status_code < 400:
            taken.append(f"{rule} answered {answer.status_code}")
    assert taken == []


def test_an_observation_is_its_observer_s_alone_on_every_route(app: Flask, store: Store) -> None:
    for name in ("bert", "carla"):
        create_user(app, name, PASSWORD)
    carla = Reviewer.log_in(app, "carla")
    asked = store.observations.assign(put_case(store, CT), "Heart", "bert", who="phil", now=NOW)
    store.observations.take(asked.id, who="bert", tab=carla.tab)
    entry = {"seq": 1, "kind": "undo"}
    contour = {"seq": 0, "voxels": 0, "crc32": 0, "slices_seen": [0]}
    parts: list[dict[str, Any]] = [{}, entry, contour]
    bodies = [{"tab": carla.tab, **part} for part in parts] + [{"events": []}]
    reached = []
    for method in ("GET", "POST"):
        for rule, path in paths(app, method, asked.id):
            if "<observation_id>" not in rule or rule.endswith("/withdraw"):
                continue
            for body in bodies if method == "POST" else [{}]:
                answer = carla.post(path, **body) if method == "POST" else carla.get(path)
                if answer.status_code not in {404, 422}:
                    reached.append(f"{method} {rule} answered {answer.status_code}")
    assert reached == []
    assert store.observations.entries(asked.id) == []
