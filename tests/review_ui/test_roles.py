"""Every route by every role: who gets in is written down here a second time, on purpose."""

from __future__ import annotations

import re
import uuid

import pytest
from flask import Flask

from core.errors import ConfigError
from review_ui.accounts import create_user
from review_ui.roles import (
    ADMIN,
    CLOSED_ENDPOINTS,
    OWN_ENDPOINTS,
    PHYSICIAN,
    PHYSICIST,
    PUBLIC_ENDPOINTS,
    VIEWER,
    granted,
    require_complete,
)
from tests.support.review_case import PASSWORD, Reviewer

EVERYBODY = {ADMIN, PHYSICIST, PHYSICIAN, VIEWER}
CONTOUR = {PHYSICIST, PHYSICIAN}
WHO = {
    "GET /": EVERYBODY,
    "GET /api/worklist": EVERYBODY,
    "GET /api/next": EVERYBODY,
    "POST /search": EVERYBODY,
    "GET /cases/<case_id>": EVERYBODY,
    "GET /cases/<case_id>/rtstruct": EVERYBODY,
    "GET /cases/<case_id>/figures": EVERYBODY,
    "POST /cases/<case_id>/arm": {ADMIN, PHYSICIST},
    "POST /cases/<case_id>/observers": {ADMIN, PHYSICIST},
    "POST /observations/<observation_id>/withdraw": {ADMIN, PHYSICIST},
    "GET /observations/<observation_id>": CONTOUR,
    "GET /api/observations/<observation_id>": CONTOUR,
    "POST /api/observations/<observation_id>/open": CONTOUR,
    "POST /api/observations/<observation_id>/renew": CONTOUR,
    "POST /api/observations/<observation_id>/release": CONTOUR,
    "GET /api/observations/<observation_id>/journal": CONTOUR,
    "POST /api/observations/<observation_id>/journal": CONTOUR,
    "GET /api/observations/<observation_id>/ct": CONTOUR,
    "GET /api/observations/<observation_id>/layers": CONTOUR,
    "GET /api/observations/<observation_id>/figures": CONTOUR,
    "POST /api/observations/<observation_id>/events": CONTOUR,
    "POST /api/observations/<observation_id>/approve": CONTOUR,
    "GET /status": EVERYBODY,
    "GET /work": EVERYBODY,
    "GET /api/status": EVERYBODY,
    "GET /metrics": {ADMIN, PHYSICIST},
    "GET /deliveries/": EVERYBODY,
    "POST /deliveries/<delivery_id>/send-again": {ADMIN, PHYSICIST, PHYSICIAN},
    "GET /models/": EVERYBODY,
    "GET /models/<version>": EVERYBODY,
    "GET /api/models/<version>": EVERYBODY,
    "POST /models/<version>/<operation>": {ADMIN, PHYSICIST},
    "POST /models/corrections/<correction_id>/<decision>": {ADMIN, PHYSICIST, PHYSICIAN},
    "GET /audit/": {ADMIN},
    "GET /audit/audit.csv": {ADMIN},
    "GET /users/": {ADMIN},
    "POST /users/": {ADMIN},
    "POST /users/<username>/password": {ADMIN},
    "POST /users/<username>/roles": {ADMIN},
    "POST /users/<username>/groups": {ADMIN},
    "POST /users/<username>/second-factor": {ADMIN},
    "POST /users/<username>/active": {ADMIN},
    "GET /quarantine/": {ADMIN},
    "GET /quarantine/<int:quarantine_id>/file": {ADMIN},
    "POST /quarantine/<int:quarantine_id>/delete": {ADMIN},
    "GET /cohort/": {ADMIN, PHYSICIST},
    "GET /cohort/report.html": {ADMIN, PHYSICIST},
    "GET /report/dose.csv": EVERYBODY,
    "GET /report/returned.csv": EVERYBODY,
    "POST /api/peers/<name>/echo": {ADMIN, PHYSICIST},
    "GET /api/cases/<case_id>": EVERYBODY,
    "GET /api/cases/<case_id>/ct": EVERYBODY,
    "GET /api/cases/<case_id>/prediction": EVERYBODY,
    "GET /api/cases/<case_id>/uncertainty": EVERYBODY,
    "GET /api/cases/<case_id>/layers": EVERYBODY,
    "GET /api/cases/<case_id>/dose": EVERYBODY,
    "GET /api/cases/<case_id>/reference": EVERYBODY,
    "GET /api/cases/<case_id>/journal": EVERYBODY,
    "GET /api/cases/<case_id>/figures": EVERYBODY,
    "POST /api/cases/<case_id>/events": EVERYBODY,
    "POST /api/cases/<case_id>/open": CONTOUR,
    "POST /api/cases/<case_id>/renew": CONTOUR,
    "POST /api/cases/<case_id>/release": CONTOUR,
    "POST /api/cases/<case_id>/journal": CONTOUR,
    "POST /api/cases/<case_id>/pass-on": CONTOUR,
    "GET /api/cases/<case_id>/colleagues": CONTOUR,
    "POST /api/cases/<case_id>/approve": {PHYSICIAN},
    "POST /api/cases/<case_id>/reject": {PHYSICIAN},
    "POST /api/cases/<case_id>/take-back": {PHYSICIAN},
    "POST /api/cases/<case_id>/reopen": {PHYSICIAN},
    "POST /api/cases/<case_id>/turn": CONTOUR,
    "POST /api/keys": EVERYBODY,
    "GET /openapi.json": EVERYBODY,
}
SOME_ID = "0" * 32


def routes(app: Flask) -> dict[str, str]:
    """Path to ask for, by "METHOD rule", of every route that takes a role."""
    found = {}
    for rule in app.url_map.iter_rules():
        if rule.endpoint in PUBLIC_ENDPOINTS | OWN_ENDPOINTS | CLOSED_ENDPOINTS:
            continue
        path = re.sub(r"<int:\w+>", "1", rule.rule)
        path = re.sub(r"<\w+>", SOME_ID, path)
        for method in (rule.methods or set()) & {"GET", "POST"}:
            found[f"{method} {rule.rule}"] = path
    return found


def test_the_table_names_every_route(app: Flask) -> None:
    assert set(routes(app)) == set(WHO)


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_a_role_gets_where_the_table_lets_it_and_nowhere_else(app: Flask, role: str) -> None:
    name = f"{role}-{uuid.uuid4().hex[:6]}"
    create_user(app, name, PASSWORD, role)
    who = Reviewer.log_in(app, name)
    wrong = []
    for route, path in routes(app).items():
        method = route.split()[0]
        answer = who.get(path) if method == "GET" else who.post(path, tab=who.tab)
        if (answer.status_code == 403) == (role in WHO[route]):
            wrong.append(f"{route} answered {role} with {answer.status_code}")
    assert wrong == []


def test_an_unknown_role_may_nothing() -> None:
    assert granted(["reviewer", "king"]) == frozenset()


def test_a_route_without_an_entry_does_not_come_up(app: Flask) -> None:
    app.add_url_rule("/new", "new.page", lambda: "open to all?")
    with pytest.raises(ConfigError, match=r"new\.page"):
        require_complete(app)
