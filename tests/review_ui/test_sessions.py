"""A login is one browser's, from the right password until it is ended, and nobody else's."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from tests.support.review_case import PASSWORD, Reviewer, post_login


def cookie_of(client: FlaskClient) -> str:
    found = client.get_cookie("recontour")
    assert found is not None
    return found.value


def with_cookie(app: Flask, value: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("recontour", value)
    return client


def test_a_cookie_from_before_a_login_is_worth_nothing_after_it(app: Flask) -> None:
    attacker = app.test_client()
    attacker.get("/login")
    planted = cookie_of(attacker)
    victim = with_cookie(app, planted)
    assert post_login(victim, "anna", PASSWORD).status_code == 302
    assert victim.get("/api/session").status_code == 200
    assert cookie_of(victim) != planted
    assert with_cookie(app, planted).get("/api/session").status_code == 401
    assert attacker.get("/api/session").status_code == 401


def test_a_cookie_that_was_changed_is_worth_nothing(app: Flask) -> None:
    anna = Reviewer.log_in(app)
    good = cookie_of(anna.client)
    content, _, signature = good.rpartition(".")
    other = content[:-1] + ("A" if content[-1] != "A" else "B")
    for bad in (f"{other}.{signature}", content, f"{content}.{signature[::-1]}", "", "\x00" * 9):
        assert with_cookie(app, bad).get("/api/session").status_code == 401, bad
    assert with_cookie(app, good).get("/api/session").status_code == 200


def test_a_copy_of_the_cookie_ends_with_the_logout_and_other_logins_go_on(app: Flask) -> None:
    here, elsewhere = Reviewer.log_in(app), Reviewer.log_in(app)
    stolen = cookie_of(here.client)
    assert with_cookie(app, stolen).get("/api/session").status_code == 200
    assert here.post("/logout").status_code in {200, 302}
    thief = with_cookie(app, stolen)
    assert thief.get("/api/session").status_code == 401
    assert thief.get("/").status_code == 302
    assert thief.get("/api/session").status_code == 401
    assert elsewhere.get("/api/session").status_code == 200


def test_a_logout_without_the_token_ends_nothing(app: Flask) -> None:
    anna = Reviewer.log_in(app)
    assert anna.client.post("/logout").status_code == 400
    assert anna.get("/api/session").status_code == 200
