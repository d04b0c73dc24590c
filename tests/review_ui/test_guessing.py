"""Passwords cannot be tried without end, and nobody is kept out for long by who tries them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from core.config import Settings
from core.store import Store
from review_ui import create_app
from review_ui.guessing import LIMITS, MOST_REMEMBERED, WINDOW, Guesses
from tests.support.review_case import NOW, PASSWORD, Reviewer, post_login

SECOND = timedelta(seconds=1)


def refused(times: int, guesses: Guesses, name: str, address: str) -> None:
    for number in range(times):
        assert guesses.wait(name, address, now=NOW) == timedelta()
        last = guesses.refuse(name, address, now=NOW + number * SECOND)
        assert last == (number == times - 1)


def test_five_wrong_passwords_close_one_name_for_one_address_for_a_quarter_of_an_hour() -> None:
    guesses = Guesses()
    refused(5, guesses, "anna", "10.0.0.1")
    now = NOW + 10 * SECOND
    assert guesses.wait("ANNA", "10.0.0.1", now=now) == WINDOW - 10 * SECOND
    assert guesses.wait("anna", "10.0.0.2", now=now) == timedelta()
    assert guesses.wait("bert", "10.0.0.1", now=now) == timedelta()
    assert guesses.wait("anna", "10.0.0.1", now=NOW + WINDOW) == timedelta()


def test_a_name_tried_from_everywhere_and_an_address_that_tries_all_names_are_closed() -> None:
    guesses = Guesses()
    for number in range(LIMITS["name"]):
        guesses.refuse("anna", f"10.0.0.{number}", now=NOW)
    assert guesses.wait("anna", "10.9.9.9", now=NOW) == WINDOW
    for number in range(LIMITS["address"]):
        guesses.refuse(f"user{number}", "10.1.1.1", now=NOW)
    assert guesses.wait("bert", "10.1.1.1", now=NOW) == WINDOW


def test_where_no_address_counts_nobody_waits_for_the_mistakes_of_others() -> None:
    guesses = Guesses()
    for number in range(LIMITS["address"]):
        guesses.refuse(f"user{number}", "", now=NOW)
    assert guesses.wait("bert", "", now=NOW) == timedelta()


def test_who_mistypes_and_then_gets_it_right_begins_anew() -> None:
    guesses = Guesses()
    for _ in range(3):
        for _ in range(4):
            guesses.refuse("anna", "10.0.0.1", now=NOW)
        guesses.accept("Anna", "10.0.0.1")
    assert guesses.wait("anna", "10.0.0.1", now=NOW) == timedelta()


def test_what_is_remembered_is_bounded_and_the_newest_stays() -> None:
    guesses = Guesses()
    for _ in range(LIMITS["pair"]):
        guesses.refuse("anna", "10.0.0.1", now=NOW)
    for number in range(MOST_REMEMBERED):
        guesses.refuse(f"user{number}", f"net{number}", now=NOW)
        if number % 1000 == 0:
            guesses.refuse("anna", "10.0.0.1", now=NOW)
    assert len(guesses._refused) <= MOST_REMEMBERED + 3
    assert guesses.wait("anna", "10.0.0.1", now=NOW) == WINDOW


def test_after_five_wrong_passwords_the_right_one_waits_too(
    settings: Settings, store: Store
) -> None:
    now = [NOW]
    app = create_app(settings, store, now=lambda: now[0])

    def log_in(password: str, address: str = "10.0.0.1") -> TestResponse:
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = address
        return post_login(client, "anna", password)

    assert [log_in("wrong password").status_code for _ in range(5)] == [200] * 5
    told = log_in(PASSWORD)
    assert (told.status_code, told.headers["Retry-After"]) == (429, "900")
    assert "Try again in 15 minutes." in told.text
    assert log_in(PASSWORD, "10.0.0.2").status_code == 302
    now[0] += WINDOW
    assert log_in(PASSWORD).status_code == 302
    with store.engine.connect() as connection:
        query = "SELECT event, who, detail FROM audit WHERE event LIKE 'login.%' ORDER BY id"
        rows = [tuple(row) for row in connection.exec_driver_sql(query)]
    where = '{"address": "10.0.0.1"}'
    assert rows == [("login.refused", "anna", where)] * 5 + [("login.blocked", "anna", where)]


@pytest.mark.parametrize("name", ["nobody", "anna"])
def test_whether_a_name_exists_does_not_show_in_how_often_it_may_be_tried(
    app: Flask, name: str
) -> None:
    told = [post_login(app.test_client(), name, "wrong password") for _ in range(6)]
    assert [answer.status_code for answer in told] == [200] * 5 + [429]
    assert "Too many attempts" in told[-1].text


def test_a_login_that_lives_is_not_ended_by_somebody_who_guesses(
    app: Flask, anna: Reviewer
) -> None:
    for _ in range(6):
        post_login(app.test_client(), "anna", "wrong password")
    assert anna.get("/api/session").status_code == 200
