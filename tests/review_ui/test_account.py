"""The first page of an account: a one-time password opens nothing else, and it is met once."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from flask import Flask

from core.audit_store import AuditQuestion
from core.config import Settings
from core.errors import AccountError
from core.store import Store
from core.volume import Volume
from review_ui import create_app
from review_ui.account import TOUR
from review_ui.accounts import create_user, guesses, require_strong
from review_ui.guessing import LIMITS
from review_ui.roles import ADMIN, PHYSICIST
from tests.support.review_case import NOW, PASSWORD, Reviewer, post_login, put_case, small_geometry

ONE_TIME = "abcd-efgh-jkmn-pqrs"
OWN = "seven grey geese"


@pytest.fixture
def berta(app: Flask) -> Reviewer:
    """A new account at its first login."""
    create_user(app, "berta", ONE_TIME, one_time=True, welcomed=False)
    return Reviewer.log_in(app, "berta", ONE_TIME)


def change(who: Reviewer, current: str, new: str, again: str | None = None) -> int:
    form = {"current": current, "new": new, "again": again or new, "csrf_token": who.csrf_token}
    return who.client.post("/account/password", data=form).status_code


def send(who: Reviewer, path: str, **fields: str) -> str:
    return who.client.post(path, data={"csrf_token": who.csrf_token, **fields}).text


def test_a_one_time_password_opens_one_page_and_nothing_else(berta: Reviewer) -> None:
    for path in ("/", "/status", "/deliveries/", "/report/dose.csv", "/openapi.json"):
        assert berta.get(path).headers["Location"] == "/account/"
    refused = berta.get("/api/worklist")
    assert (refused.status_code, refused.json["error"]["kind"]) == (403, "password")  # type: ignore[index]
    text = berta.get("/account/").text
    assert "Choose your password" in text
    assert 'id="tour"' not in text
    send(berta, "/account/start")
    assert berta.get("/").status_code == 303


def test_the_way_from_the_first_login_to_the_worklist(
    app: Flask, berta: Reviewer, store: Store
) -> None:
    assert change(berta, ONE_TIME, OWN) == 303
    assert berta.get("/").headers["Location"] == "/account/"  # in the same session
    assert berta.get("/api/worklist").status_code == 200
    text = berta.get("/account/").text
    assert "Welcome to Recontour" in text
    assert 'id="tour"' in text
    assert "Still to do" not in text  # a physician has nothing to do with it
    send(berta, "/account/name", display_name="  Dr. Berta   Bee ")
    assert "Dr. Berta Bee" in berta.get("/account/").text
    send(berta, "/account/start")
    assert "Dr. Berta Bee" in berta.get("/").text
    again = Reviewer.log_in(app, "berta", OWN)
    assert again.get("/").status_code == 200
    assert "Your account" in again.get("/account/").text
    assert post_login(app.test_client(), "berta", ONE_TIME).status_code == 200


def test_other_sessions_end_when_a_password_is_changed(app: Flask, anna: Reviewer) -> None:
    other = Reviewer.log_in(app, "anna")
    assert change(anna, PASSWORD, OWN) == 303
    assert anna.get("/").status_code == 200
    assert other.get("/").status_code == 302


@pytest.mark.parametrize(
    ("current", "new", "again", "words"),
    [
        ("wrong", OWN, OWN, "The present password is not right."),
        (PASSWORD, OWN, "seven gray geese", "The two new passwords differ."),
        (PASSWORD, PASSWORD, PASSWORD, "is the present one"),
        (PASSWORD, "short", "short", "too short"),
    ],
)
def test_a_change_is_refused_in_words(
    app: Flask, anna: Reviewer, current: str, new: str, again: str, words: str
) -> None:
    form = {"current": current, "new": new, "again": again, "csrf_token": anna.csrf_token}
    answer = anna.client.post("/account/password", data=form)
    assert answer.status_code == 422
    assert words in answer.text
    assert post_login(app.test_client(), "anna", PASSWORD).status_code == 302


def test_whoever_sits_at_an_open_page_cannot_try_passwords_without_end(
    app: Flask, store: Store, anna: Reviewer
) -> None:
    with app.app_context():
        for _ in range(LIMITS["pair"] - 1):  # as at the login, where they count as well
            guesses().refuse("anna", "127.0.0.1", now=datetime.now(UTC))
    assert change(anna, "not this one", OWN) == 422
    newest = store.audit.page(AuditQuestion(who="anna"), page=1).rows[:2]
    assert [entry.event for entry in newest] == ["login.blocked", "login.refused"]
    assert newest[1].detail["on"] == "password change"
    assert change(anna, PASSWORD, OWN) == 429
    assert anna.get("/api/session").status_code == 200
    assert post_login(app.test_client(), "anna", PASSWORD).status_code == 429


def test_a_right_present_password_forgets_what_was_mistyped(app: Flask, anna: Reviewer) -> None:
    with app.app_context():
        for _ in range(LIMITS["pair"] - 1):
            guesses().refuse("anna", "127.0.0.1", now=datetime.now(UTC))
    assert change(anna, PASSWORD, OWN, "another") == 422
    assert change(anna, "not this one", OWN) == 422
    assert change(anna, PASSWORD, OWN) == 303


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("ninechars", "too short"),
        ("abababababab", "too even"),
        ("anna-and-bob", "user name"),
        ("My Password 9", "too easy"),
        ("xx1234567890", "too easy"),
    ],
)
def test_a_password_that_others_would_try_first_is_refused(password: str, words: str) -> None:
    with pytest.raises(AccountError, match=words):
        require_strong(password, "anna")
    require_strong("correct horse", "anna")
    require_strong("old jo and friends", "jo")  # a name of two letters is in many words


def test_an_administrator_reads_what_is_still_to_do_until_it_is_done(
    app: Flask, store: Store, anna: Reviewer
) -> None:
    create_user(app, "otto", PASSWORD, ADMIN, welcomed=False)
    otto = Reviewer.log_in(app, "otto")
    text = html.unescape(otto.get("/account/").text)
    assert "Push a planning CT to this node" in text
    assert "See that TPS hears this node" in text
    assert "Give Heart a starting model" in text
    assert "recontour train --cold-start" in text
    assert "account for a physician" not in text  # anna is one
    geometry = small_geometry()
    put_case(store, Volume(np.zeros(geometry.shape, np.int16), geometry))
    assert "Push a planning CT" not in otto.get("/account/").text
    store.accounts.set_roles("anna", [PHYSICIST], admin=ADMIN, who="otto", now=NOW)
    assert "Make an account for a physician" in otto.get("/account/").text


def test_a_form_without_its_token_changes_nothing(app: Flask, anna: Reviewer) -> None:
    form = {"current": PASSWORD, "new": OWN, "again": OWN}
    for path in ("password", "name", "start"):
        assert anna.client.post(f"/account/{path}", data=form).status_code == 400
    assert post_login(app.test_client(), "anna", PASSWORD).status_code == 302


def test_a_name_is_printable_and_bounded(anna: Reviewer) -> None:
    assert "cannot be printed" in send(anna, "/account/name", display_name="A\u202eB")
    send(anna, "/account/name", display_name="<b>" + "x" * 100)
    text = anna.get("/").text
    assert "&lt;b&gt;" + "x" * 61 + "</a>" in text


def test_the_tour_names_keys_that_exist() -> None:
    script = Path(__file__).parents[2] / "review_ui/static/js/keyboard.js"
    known = set(re.findall(r'action: "(\w+)"', script.read_text()))
    assert {action for actions, _ in TOUR for action in actions} <= known


def test_the_tour_is_due_where_the_configuration_says_so_until_that_account_ends_it(
    settings: Settings, store: Store
) -> None:
    wanted = settings.review.model_copy(update={"tour": True})
    app = create_app(settings.model_copy(update={"review": wanted}), store)
    create_user(app, "berta", PASSWORD)
    anna, berta = Reviewer.log_in(app), Reviewer.log_in(app, "berta")
    assert 'id="guide"' in anna.get("/").text
    for _ in range(2):
        assert 'data-due="true"' in anna.get("/").text
    assert anna.client.post("/account/tour").status_code == 400  # without the token
    for _ in range(2):
        assert anna.post("/account/tour").json == {"ended": True}
    assert 'data-due="false"' in anna.get("/").text
    assert 'data-due="true"' in berta.get("/").text
    ended = store.audit.all(AuditQuestion(event="account.tour_ended"))
    assert [entry.who for entry in ended] == ["anna"]
