"""The users page: accounts are made, changed, kept out and let in; somebody can always get in."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from typer.testing import CliRunner
from werkzeug.test import TestResponse

from app.cli import app as commands
from core.config import load_settings
from core.store import Store, open_store
from review_ui import create_app
from review_ui.accounts import create_user, one_time_password, require_strong, reset_from_console
from review_ui.roles import ADMIN, PHYSICIAN, ROLES, VIEWER
from review_ui.users import ROLE_WORDS
from tests.support.review_case import PASSWORD, Reviewer, post_login
from tests.support.settings import write_config


@pytest.fixture
def otto(app: Flask) -> Reviewer:
    create_user(app, "otto", PASSWORD, ADMIN)
    return Reviewer.log_in(app, "otto")


def send(who: Reviewer, path: str, **fields: str | list[str]) -> TestResponse:
    """Send a form as a browser does."""
    return who.client.post(path, data={"csrf_token": who.csrf_token, **fields})


def told(answer: TestResponse) -> str:
    """The one-time password in an answer."""
    found = re.search(r"<code>([a-z2-9-]{19})</code>", answer.text)
    assert found is not None, answer.text
    return found[1]


def problem(answer: TestResponse) -> str:
    assert answer.status_code == 422
    found = re.search(r'role="alert">([^<]*)<', answer.text)
    assert found is not None
    return html.unescape(found[1])


def roles_of(store: Store, username: str) -> tuple[str, ...]:
    (found,) = (a for a in store.accounts.all() if a.username == username)
    return found.roles


def audited(store: Store) -> list[tuple[str, str, str]]:
    query = "select who, event, json_extract(detail, '$.account') from audit order by id"
    with store.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(sa.text(query))]
    return [row for row in rows if row[1].startswith("account.")]


def test_an_account_is_made_with_a_password_that_is_shown_once(
    app: Flask, otto: Reviewer, store: Store
) -> None:
    made = send(otto, "/users/", username="berta", roles=[PHYSICIAN, VIEWER])
    password = told(made)
    assert made.headers["Cache-Control"] == "no-store"
    assert password not in otto.get("/users/").text
    assert roles_of(store, "berta") == (PHYSICIAN, VIEWER)
    assert audited(store)[-1] == ("otto", "account.created", "berta")
    text = otto.get("/users/").text
    assert 'data-user="berta" data-active="yes"' in text
    assert "never" in text
    assert post_login(app.test_client(), "berta", password).status_code == 302
    assert "never" not in otto.get("/users/").text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"username": "otto", "roles": VIEWER}, "There is already an account 'otto'"),
        ({"username": "../x", "roles": VIEWER}, "cannot be a user name"),
        ({"username": "berta"}, "needs a role"),
        ({"username": "berta", "roles": "king"}, "There is no role 'king'"),
    ],
)
def test_what_cannot_be_an_account_is_refused_in_words_and_the_name_stays_typed(
    otto: Reviewer, store: Store, fields: dict[str, str], words: str
) -> None:
    before = store.accounts.all()
    answer = send(otto, "/users/", **fields)
    assert words in problem(answer)
    assert f'value="{fields["username"]}"' in answer.text
    assert store.accounts.all() == before


def test_a_reset_ends_every_session_and_the_old_password_is_worth_nothing(
    app: Flask, otto: Reviewer, anna: Reviewer, store: Store
) -> None:
    password = told(send(otto, "/users/anna/password"))
    assert anna.get("/api/session").status_code == 401
    assert post_login(app.test_client(), "anna", PASSWORD).status_code == 200
    assert post_login(app.test_client(), "anna", password).status_code == 302
    assert audited(store)[-1] == ("otto", "account.password_reset", "anna")


def test_roles_count_from_the_next_request_on(otto: Reviewer, anna: Reviewer, store: Store) -> None:
    assert anna.get("/users/").status_code == 403
    assert send(otto, "/users/anna/roles", roles=[ADMIN, VIEWER]).status_code == 303
    assert anna.get("/users/").status_code == 200
    assert roles_of(store, "anna") == (ADMIN, VIEWER)
    send(otto, "/users/anna/roles", roles=[VIEWER])
    assert anna.get("/users/").status_code == 403
    assert "needs a role" in problem(send(otto, "/users/anna/roles"))
    assert roles_of(store, "anna") == (VIEWER,)


def test_a_deactivated_account_is_out_at_once_and_comes_back_with_its_password(
    app: Flask, otto: Reviewer, anna: Reviewer, store: Store
) -> None:
    assert send(otto, "/users/anna/active", active="no").status_code == 303
    assert anna.get("/api/session").status_code == 401
    refused = post_login(app.test_client(), "anna", PASSWORD)
    assert "This account is not active. Ask an administrator." in refused.text
    assert store.accounts.names_with([PHYSICIAN]) == []
    send(otto, "/users/anna/active", active="yes")
    assert anna.get("/api/session").status_code == 401  # the old session stays ended
    assert Reviewer.log_in(app, "anna").get("/").status_code == 200
    kept = [event for _, event, name in audited(store) if name == "anna"][-2:]
    assert kept == ["account.deactivated", "account.reactivated"]


def test_the_last_active_administrator_stays_one_and_nobody_keeps_himself_out(
    app: Flask, otto: Reviewer, store: Store
) -> None:
    assert "last active administrator" in problem(send(otto, "/users/otto/roles", roles=VIEWER))
    assert "your own account" in problem(send(otto, "/users/otto/active", active="no"))
    create_user(app, "petra", PASSWORD, ADMIN)
    assert "your own account" in problem(send(otto, "/users/otto/active", active="no"))
    assert send(otto, "/users/petra/active", active="no").status_code == 303
    # One that is out does not count.
    assert "last active administrator" in problem(send(otto, "/users/otto/roles", roles=VIEWER))
    send(otto, "/users/petra/active", active="yes")
    assert send(otto, "/users/otto/roles", roles=VIEWER).status_code == 303
    assert store.accounts.names_with([ADMIN]) == ["petra"]


def test_a_name_that_nobody_has_is_refused(otto: Reviewer) -> None:
    for path in ("password", "roles", "active"):
        answer = send(otto, f"/users/nobody/{path}", roles=VIEWER)
        assert "There is no account 'nobody'" in problem(answer)


def test_a_form_without_its_token_changes_nothing(otto: Reviewer, store: Store) -> None:
    before = store.accounts.all()
    forms = {"": {"username": "x", "roles": VIEWER}, "anna/password": {}, "anna/active": {}}
    for path, fields in forms.items():
        assert otto.client.post(f"/users/{path}", data=fields).status_code == 400
    assert store.accounts.all() == before


def test_the_page_says_so_where_there_is_only_one_account(
    app: Flask, otto: Reviewer, store: Store
) -> None:
    assert "Yours is the only account" not in otto.get("/users/").text
    with store.engine.begin() as connection:
        connection.execute(sa.text("delete from account_role where account_id = 1"))
        connection.execute(sa.text("delete from account where username = 'anna'"))
    text = otto.get("/users/").text
    assert "Yours is the only account. Make one for each person" in text
    assert ">Deactivate<" not in text


def test_whoever_has_the_machine_gets_back_in(app: Flask, store: Store) -> None:
    create_user(app, "otto", PASSWORD, ADMIN)
    with store.engine.begin() as connection:
        connection.execute(sa.text("update account set active = false"))
    password = one_time_password()
    reset_from_console(app, "otto", password)
    assert post_login(app.test_client(), "otto", password).status_code == 302
    assert ("console", "account.reactivated", "otto") in audited(store)


def test_every_role_is_explained() -> None:
    assert set(ROLE_WORDS) == set(ROLES)


def test_one_time_passwords_differ_and_are_strong() -> None:
    made = {one_time_password() for _ in range(100)}
    assert len(made) == 100
    for password in made:
        require_strong(password, "anna")


def test_the_commands_make_list_and_reset_accounts(tmp_path: Path) -> None:
    config = ["--config", str(write_config(tmp_path))]
    run = CliRunner().invoke
    assert "no account yet" in run(commands, ["user", "list", *config]).output
    made = run(commands, ["user", "add", "otto", "--role", "admin", "--one-time", *config])
    assert "Account otto (admin) is ready." in made.output
    listed = run(commands, ["user", "list", *config]).output
    assert listed == "otto: admin; active; never logged in\n"
    reset = run(commands, ["user", "reset", "otto", *config]).output
    first, second = (text.strip().rsplit(" ", 1)[1] for text in (made.output, reset))
    assert first != second
    settings = load_settings(Path(config[1]))
    client = create_app(settings, open_store(settings)).test_client()
    assert post_login(client, "otto", first).status_code == 200
    assert post_login(client, "otto", second).status_code == 302
    assert client.get("/").headers["Location"] == "/account/"
