"""A login takes a code that is right, new, and of few tries; the way back is audited."""

from __future__ import annotations

import base64
import html
import logging
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core.store import Store
from core.tables import account, audit
from review_ui import create_app
from review_ui.accounts import create_user
from tests.support.review_case import PASSWORD, Reviewer, post_login
from tests.support.settings import settings_for

NOW_S = 1_800_000_010


def stop_clock(app: Flask) -> Flask:
    """For codes it is always the same moment, far from the next step."""
    factory = app.extensions["security"].totp_factory
    factory._totp = factory._totp.using(now=lambda: NOW_S)
    return app


@pytest.fixture
def app(app: Flask) -> Flask:
    return stop_clock(app)


def code_of(app: Flask, key: str, *, steps: int = 0) -> str:
    """What an authenticator shows, `steps` of 30 s from now."""
    totp = app.extensions["security"].totp_factory._totp(key=key, format="base32")
    return str(totp.generate(time=NOW_S + 30 * steps).token)


def send(client: FlaskClient, path: str, **form: str) -> TestResponse:
    """A form of the page at `path`, filled in."""
    token = client.get("/api/session").json
    if token is None or "csrf_token" not in token:
        page = client.get(path).text
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert found, page
        return client.post(path, data={"csrf_token": found[1], **form})
    return client.post(path, data={"csrf_token": token["csrf_token"], **form})


def set_up(app: Flask, who: Reviewer) -> str:
    """Turn it on with the code of the step before now; the key."""
    page = send(who.client, "/tf-setup", setup="authenticator", password=PASSWORD).text
    shown = re.search(r"type the key: <code>([^<]+)</code>", page)
    goes_to = re.search(r'action="(/tf-setup/[^"]+)"', page)
    assert shown
    assert goes_to
    picture = re.search(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert picture
    assert b"<svg" in base64.b64decode(html.unescape(picture[1]))
    key = shown[1].replace("-", "")
    done = send(who.client, goes_to[1], code=code_of(app, key, steps=-1))
    assert done.status_code == 302, done.text
    return key


@pytest.fixture
def key(app: Flask, anna: Reviewer) -> str:
    return set_up(app, anna)


def password_given(app: Flask) -> FlaskClient:
    client = app.test_client()
    answer = post_login(client, "anna", PASSWORD)
    assert answer.headers["Location"].startswith("/tf-validate")
    assert client.get("/api/worklist").status_code == 401, "the password alone opens nothing"
    return client


def is_in(client: FlaskClient) -> bool:
    return client.get("/api/worklist").status_code == 200


def events(store: Store, like: str) -> list[str]:
    query = sa.select(audit.c.event).where(audit.c.event.like(like)).order_by(audit.c.id)
    with store.engine.connect() as connection:
        return list(connection.scalars(query))


def test_a_code_is_taken_once_and_one_of_before_never(app: Flask, key: str) -> None:
    now = code_of(app, key)
    first, second = password_given(app), password_given(app)
    assert send(first, "/tf-validate", code=code_of(app, key, steps=-1)).status_code == 200
    assert not is_in(first), "it was taken when it was turned on"
    assert send(first, "/tf-validate", code=now).status_code == 302
    assert is_in(first)
    answer = send(second, "/tf-validate", code=now)
    assert "was used before" in answer.text
    assert not is_in(second)
    assert send(second, "/tf-validate", code=code_of(app, key, steps=1)).status_code == 302
    assert is_in(second)


def test_after_five_wrong_codes_no_more_are_looked_at(app: Flask, key: str, store: Store) -> None:
    for client in (password_given(app), password_given(app)):  # a new login is no new chance
        for wrong in ("000000", "00000", "x"):
            send(client, "/tf-validate", code=wrong)
    client = password_given(app)
    answer = send(client, "/tf-validate", code=code_of(app, key))
    assert answer.status_code == 429
    assert "Too many attempts" in answer.text
    assert not is_in(client)
    assert events(store, "login.code_refused") == ["login.code_refused"] * 5
    assert events(store, "login.blocked") == ["login.blocked"]


def test_a_recovery_code_opens_once(app: Flask, anna: Reviewer, key: str, store: Store) -> None:
    assert key
    page = send(anna.client, "/mf-recovery-codes", password=PASSWORD).text
    codes = re.findall(r"<li><code>([^<]+)</code>", page)
    assert len(set(codes)) == 8
    assert codes[0] not in anna.get("/mf-recovery-codes?show_codes=1").text
    first, second = password_given(app), password_given(app)
    assert send(first, "/mf-recovery", code=codes[0]).status_code == 302
    assert is_in(first)
    assert "none of your recovery codes" in send(second, "/mf-recovery", code=codes[0]).text
    assert not is_in(second)
    assert events(store, "account.recovery%") == [
        "account.recovery_codes_made",
        "account.recovery_code_used",
    ]


def test_an_administrator_takes_it_off_and_every_session_ends(
    app: Flask, anna: Reviewer, key: str, store: Store
) -> None:
    assert key
    create_user(app, "otto", PASSWORD, "admin")
    otto = Reviewer.log_in(app, "otto")
    assert "Take off second factor" in otto.get("/users/").text
    assert send(otto.client, "/users/anna/second-factor").status_code == 303
    assert not is_in(anna.client)
    Reviewer.log_in(app, "anna")
    assert events(store, "account.second%") == [
        "account.second_factor_on",
        "account.second_factor_reset",
    ]


def test_one_turns_it_off_oneself(app: Flask, anna: Reviewer, key: str, store: Store) -> None:
    assert key
    assert send(anna.client, "/tf-setup", setup="disable", password=PASSWORD).status_code == 302
    Reviewer.log_in(app, "anna")
    assert events(store, "account.second%")[-1] == "account.second_factor_off"


def test_before_an_unlocked_browser_nobody_changes_it_without_the_password(
    app: Flask, anna: Reviewer, key: str, store: Store
) -> None:
    assert key
    for path, form in (
        ("/tf-setup", {"setup": "disable"}),
        ("/tf-setup", {"setup": "authenticator"}),
        ("/mf-recovery-codes", {}),
    ):
        page = send(anna.client, path, **form).text
        assert "The password is not right." in page, form
        assert "type the key" not in page
        assert "<li><code>" not in page
    for _ in range(2):
        send(anna.client, "/tf-setup", setup="disable", password="a wrong one")
    late = send(anna.client, "/tf-setup", setup="disable", password=PASSWORD)
    assert late.status_code == 429
    assert "Too many attempts" in late.text
    assert store.factors.on() == {"anna"}
    assert events(store, "login.%") == ["login.refused"] * 5 + ["login.blocked"]
    assert not events(store, "account.recovery%")


def test_a_key_that_another_session_was_shown_is_not_taken(
    app: Flask, anna: Reviewer, key: str
) -> None:
    create_user(app, "eve", PASSWORD)
    eve = Reviewer.log_in(app, "eve")
    page = send(eve.client, "/tf-setup", setup="authenticator", password=PASSWORD).text
    shown = re.search(r"type the key: <code>([^<]+)</code>", page)
    goes_to = re.search(r'action="(/tf-setup/[^"]+)"', page)
    assert shown
    assert goes_to
    send(anna.client, goes_to[1], code=code_of(app, shown[1].replace("-", "")))
    client = password_given(app)
    assert send(client, "/tf-validate", code=code_of(app, key)).status_code == 302


def test_no_secret_stands_in_the_clear_in_the_database_in_a_log_or_in_a_cookie(
    app: Flask, anna: Reviewer, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        key = set_up(app, anna)
        codes = re.findall(
            r"<li><code>([^<]+)", send(anna.client, "/mf-recovery-codes", password=PASSWORD).text
        )
        client = password_given(app)
        send(client, "/tf-validate", code=code_of(app, key))
    with store.engine.connect() as connection:
        rows = f"{connection.execute(sa.select(account)).all()}"
        rows += f"{connection.execute(sa.select(audit)).all()}"
    cookie = anna.client.get_cookie("recontour")
    assert cookie is not None
    for secret in (key, *codes):
        assert secret not in rows
        assert secret not in caplog.text
        assert secret not in cookie.value


def test_where_it_is_required_a_login_sets_it_up_first(tmp_path: Path, store: Store) -> None:
    settings = settings_for(tmp_path, review={"second_factor": "required"})
    strict = stop_clock(create_app(settings, store))
    client = strict.test_client()
    answer = post_login(client, "anna", PASSWORD)
    assert answer.headers["Location"].startswith("/tf-setup")
    assert not is_in(client)
    page = send(client, "/tf-setup", setup="authenticator").text
    shown = re.search(r"type the key: <code>([^<]+)</code>", page)
    assert shown
    done = send(client, "/tf-validate", code=code_of(strict, shown[1].replace("-", "")))
    assert done.status_code == 302
    assert is_in(client)
    assert (
        send(client, "/tf-setup", setup="disable", password=PASSWORD).status_code == 200
    )  # not offered
    assert store.factors.on() == {"anna"}


def test_a_login_begun_before_it_was_turned_on_neither_enters_nor_replaces_it(
    tmp_path: Path, store: Store
) -> None:
    settings = settings_for(tmp_path, review={"second_factor": "required"})
    strict = stop_clock(create_app(settings, store))

    def begun() -> FlaskClient:
        client = strict.test_client()
        assert post_login(client, "anna", PASSWORD).headers["Location"].startswith("/tf-setup")
        return client

    def own_key(client: FlaskClient) -> str:
        page = send(client, "/tf-setup", setup="authenticator").text
        shown = re.search(r"type the key: <code>([^<]+)</code>", page)
        assert shown
        return shown[1].replace("-", "")

    anna, waiting, scanned = begun(), begun(), begun()
    code = code_of(strict, own_key(scanned))
    key = own_key(anna)
    assert send(anna, "/tf-validate", code=code_of(strict, key, steps=-1)).status_code == 302
    assert is_in(anna)
    assert waiting.get("/tf-setup").headers["Location"] == "/login"
    with store.engine.connect() as connection, scanned.session_transaction() as cookie:
        # As if it had been turned on between two questions of one request.
        cookie["tf_user_id"] = connection.scalar(sa.select(account.c.fs_uniquifier))
    assert send(scanned, "/tf-validate", code=code).status_code == 409
    for other in (waiting, scanned):
        assert not is_in(other)
    client = strict.test_client()
    post_login(client, "anna", PASSWORD)
    assert send(client, "/tf-validate", code=code_of(strict, key, steps=1)).status_code == 302


def test_other_sessions_end_when_it_is_turned_on_and_codes_of_before_are_gone(
    app: Flask, anna: Reviewer, store: Store
) -> None:
    other = Reviewer.log_in(app)
    send(anna.client, "/mf-recovery-codes", password=PASSWORD)
    set_up(app, anna)
    assert not is_in(other.client)
    assert is_in(anna.client)
    with store.engine.connect() as connection:
        assert not connection.scalar(sa.select(account.c.mf_recovery_codes))


def test_nobody_gets_to_the_second_step_without_the_first_and_the_rest_is_closed(
    app: Flask, anna: Reviewer
) -> None:
    client = app.test_client()
    for path in ("/tf-validate", "/tf-setup", "/mf-recovery"):
        assert client.get(path).headers["Location"].startswith("/login"), path
    assert anna.get("/tf-validate").headers["Location"].endswith("/account/")
    assert is_in(anna.client), "a link from elsewhere logs nobody out"
    for path in ("/tf-rescue", "/tf-select"):
        assert client.get(path).status_code == 404
