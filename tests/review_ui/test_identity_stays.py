"""No patient's name, number or birth date in logs, metrics, refusals or addresses."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask
from structlog.testing import capture_logs

from core.store import Store
from core.tables import case
from core.volume import Volume
from tests.support.accounts import give_every_role
from tests.support.review_case import Reviewer, box_mask, put_case, small_geometry

GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
HEART = box_mask(GEOMETRY, (slice(2, 8), slice(3, 9), slice(3, 6)))
IDENTITY = ("Zzyzx", "QX-4711", "19010203", "1901-02-03")


@pytest.fixture
def omnia(anna: Reviewer, store: Store) -> Reviewer:
    give_every_role(store, "anna")
    return anna


@pytest.fixture
def case_id(store: Store) -> str:
    made = put_case(store, CT, prediction=HEART, patient_name="Zzyzx^Quirin", patient_id="QX-4711")
    with store.engine.begin() as connection:
        connection.execute(sa.update(case).values(patient_birth_date="19010203"))
    return made


def found_in(text: str) -> list[str]:
    return [word for word in IDENTITY if word.lower() in text.lower()]


def asked(app: Flask, case_id: str) -> Iterator[tuple[str, str, str]]:
    """Method, rule and address of every route, on the case; the logout last of none."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint in {"static", "security.logout", "security.login"}:
            continue
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            yield method, rule.rule, re.sub(r"<(?:\w+:)?\w+>", case_id, rule.rule)


def test_no_log_refusal_metric_or_address_names_the_patient(
    app: Flask, omnia: Reviewer, case_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    search = omnia.client.post("/search", data={"q": "Zzyzx", "csrf_token": omnia.csrf_token})
    assert "Zzyzx" in omnia.get(search.headers["Location"]).text  # the pages do name them
    bodies: list[dict[str, Any]] = [
        {"tab": omnia.tab},
        {"tab": "Zzyzx", "reason": "QX-4711", "to": "Zzyzx"},
        {"tab": omnia.tab, "to": "Zzyzx", "reason": "", "kind": "Zzyzx", "seq": 99, "runs": "QX"},
    ]
    leaks, refusals = [], 0
    with capture_logs() as logs, caplog.at_level(logging.DEBUG):
        for method, rule, path in asked(app, case_id):
            for body in bodies if method == "POST" else bodies[:1]:
                answer = omnia.post(path, **body) if method == "POST" else omnia.get(path)
                told = str(answer.headers)
                if answer.status_code >= 400 or rule in {"/metrics", "/readyz", "/openapi.json"}:
                    refusals += 1
                    # A page has the names of those who are logged in, and none of patients.
                    told += answer.text
                told = told.replace("&#39;", "'")
                leaks += [f"{method} {rule} tells {word}" for word in found_in(told)]
            links = re.findall(r'(?:href|action|src)="([^"]*)"', omnia.get("/").text)
            leaks += [f"a link tells {word}" for word in found_in(" ".join(links))]
    assert refusals > 60
    assert leaks == []
    assert found_in(json.dumps(logs, default=str) + caplog.text) == []


def test_a_crash_with_a_patient_in_its_message_tells_nobody(
    app: Flask, omnia: Reviewer, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ValueError("Zzyzx^Quirin QX-4711 19010203")

    for name in ("worklist", "cases", "deliveries", "outbox", "audit"):
        kind = type(getattr(app.extensions["recontour"].store, name))
        for method in ("page", "get", "all", "newest"):
            if hasattr(kind, method):
                monkeypatch.setattr(kind, method, crash)
    crashed = 0
    with capture_logs() as logs:
        for method, _, path in asked(app, case_id):
            answer = omnia.post(path, tab=omnia.tab) if method == "POST" else omnia.get(path)
            crashed += answer.status_code == 500
            if answer.status_code >= 400:
                assert found_in(answer.text + str(answer.headers)) == []
    assert crashed > 20
    assert sum(log["event"] == "review.crashed" for log in logs) == crashed
    assert found_in(json.dumps(logs, default=str)) == []
