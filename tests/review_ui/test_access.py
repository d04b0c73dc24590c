"""Who gets in, and what a browser is told to be careful about."""

from __future__ import annotations

import re
import stat
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from flask import Flask

from core.config import Settings
from core.errors import AccountError
from core.store import Store
from core.volume import Volume
from review_ui import create_app
from review_ui.accounts import create_user, set_password, user_exists
from review_ui.roles import ADMIN, CLOSED_ENDPOINTS
from tests.support.review_case import PASSWORD, Reviewer, post_login, put_case, small_geometry
from tests.support.settings import settings_for

OPEN_TO_ALL = {
    *("/login", "/oidc/login", "/oidc/callback"),
    *("/healthz", "/readyz", "/static/<version>/<path:filename>"),
}


def test_every_route_but_a_few_needs_a_login(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/login").text
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    checked = 0
    for rule in app.url_map.iter_rules():
        if rule.rule in OPEN_TO_ALL or rule.endpoint in CLOSED_ENDPOINTS:
            continue
        path = rule.rule.replace("<case_id>", "0" * 32)
        for method in (rule.methods or set()) & {"GET", "POST"}:
            answer = client.open(path, method=method, json={}, headers={"X-CSRFToken": token})
            refused = answer.status_code == 401 or (
                answer.status_code == 302 and answer.headers["Location"].startswith("/login")
            )
            assert refused, f"{method} {rule.rule} answered {answer.status_code}"
            checked += 1
    assert checked >= 20


def test_the_health_check_and_the_login_page_need_none(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/healthz").text == "ok"
    assert client.get("/login").status_code == 200
    (style,) = re.findall(r"/static/\w+/css/base.css", client.get("/login").text)
    assert client.get(style, buffered=True).status_code == 200


@pytest.mark.parametrize(
    ("username", "password"), [("anna", "wrong password"), ("nobody", PASSWORD), ("", "")]
)
def test_a_wrong_name_or_password_gets_the_same_refusal(
    app: Flask, username: str, password: str
) -> None:
    client = app.test_client()
    answer = post_login(client, username, password)
    assert answer.status_code == 200
    if username:
        assert "User name or password is not right." in answer.text
    assert client.get("/api/worklist").status_code == 401


def test_a_login_leads_to_the_page_that_was_asked_for_but_never_elsewhere(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/status").headers["Location"] == "/login?next=/status"
    page = client.get("/login").text
    token = page.split('name="csrf_token" type="hidden" value="')[1].split('"')[0]
    form = {"username": "anna", "password": PASSWORD, "csrf_token": token}
    foreign = client.post("/login?next=https://evil.example/", data=form)
    assert foreign.headers.get("Location", "/").startswith("/")


def test_a_login_ends_in_time_also_while_a_page_polls(
    app: Flask, anna: Reviewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, lifetime_s = time.time(), app.permanent_session_lifetime.total_seconds()
    for share, status in ((0.4, 200), (0.8, 200), (1.1, 401)):
        clock = SimpleNamespace(time=lambda share=share: start + share * lifetime_s)
        monkeypatch.setattr("itsdangerous.timed.time", clock)
        assert anna.client.get("/api/worklist").status_code == status


def test_only_a_script_that_is_there_is_kept_by_browsers(app: Flask) -> None:
    client = app.test_client()
    (style,) = re.findall(r"/static/\w+/css/base.css", client.get("/login").text)
    assert "immutable" in client.get(style, buffered=True).headers["Cache-Control"]
    missing = client.get(style.replace("base.css", "none.css"))
    assert (missing.status_code, missing.headers["Cache-Control"]) == (404, "no-store")


def test_a_post_without_the_csrf_token_is_refused_and_changes_nothing(
    anna: Reviewer, store: Store
) -> None:
    geometry = small_geometry()
    case_id = put_case(store, Volume(np.zeros(geometry.shape, np.int16), geometry))
    answer = anna.client.post(f"/api/cases/{case_id}/open", json={"tab": anna.tab})
    assert answer.status_code == 400
    assert answer.json["error"]["kind"] == "csrf"  # type: ignore[index]
    assert store.cases.get(case_id).state == "ASSEMBLED"


def test_a_login_form_without_the_csrf_token_is_refused(app: Flask) -> None:
    client = app.test_client()
    answer = client.post("/login", data={"username": "anna", "password": PASSWORD})
    assert answer.status_code == 400
    assert client.get("/api/worklist").status_code == 401


def test_logging_out_ends_the_session(anna: Reviewer) -> None:
    assert anna.get("/api/session").json["user"] == "anna"  # type: ignore[index]
    assert anna.post("/logout").status_code in {200, 302}
    assert anna.get("/api/session").status_code == 401


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(app: Flask) -> None:
    answer = post_login(app.test_client(), "anna", PASSWORD)
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_behind_https_the_cookie_is_secure(tmp_path: Path, store: Store) -> None:
    settings = settings_for(tmp_path, review={"public_url": "https://review.example"})
    headers = create_app(settings, store).test_client().get("/login").headers
    assert "Secure" in headers["Set-Cookie"]
    assert headers["Strict-Transport-Security"] == "max-age=31536000"


def test_every_answer_forbids_foreign_code_and_keeps_patients_out_of_caches(anna: Reviewer) -> None:
    (style,) = re.findall(r"/static/\w+/css/base.css", anna.get("/").text)
    for path in ("/", "/api/worklist", "/nowhere", style):
        headers = anna.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        assert "Strict-Transport-Security" not in headers  # over http browsers do not hear it
        kept = "public, max-age=31536000, immutable"
        assert headers["Cache-Control"] == (kept if path == style else "no-store")


def test_templates_carry_no_inline_script_or_style() -> None:
    templates = Path(__file__).parents[2] / "review_ui" / "templates"
    for path in templates.glob("*.html"):
        text = path.read_text()
        assert " style=" not in text, path.name
        assert " onclick=" not in text, path.name
        scripts = [tag for tag in text.split("<script")[1:] if "src=" not in tag.split(">")[0]]
        assert all('type="application/json"' in tag.split(">")[0] for tag in scripts), path.name


def test_a_body_that_is_too_large_is_refused(anna: Reviewer) -> None:
    answer = anna.client.post(
        f"/api/cases/{'0' * 32}/open",
        data=b"x" * (17 * 1024 * 1024),
        content_type="application/json",
        headers={"X-CSRFToken": anna.csrf_token},
    )
    assert answer.status_code == 413


def test_secrets_are_made_once_and_readable_by_the_owner_only(
    settings: Settings, store: Store, app: Flask
) -> None:
    folder = settings.data_folder / "secrets"
    names = {p.name for p in folder.iterdir()}
    assert names == {"session_key", "password_salt", "totp_key", "recovery_key"}
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(path.read_text()) == 64
    again = create_app(settings, store)
    assert again.config["SECRET_KEY"] == app.config["SECRET_KEY"]
    assert (folder / "session_key").read_text() != (folder / "password_salt").read_text()


def test_passwords_are_kept_as_argon2_only(settings: Settings, app: Flask) -> None:
    database = (settings.data_folder / "recontour.db").read_bytes()
    log = settings.data_folder / "recontour.db-wal"
    kept = database + (log.read_bytes() if log.exists() else b"")
    assert b"$argon2id$" in kept
    assert PASSWORD.encode() not in kept


def test_an_account_is_refused_with_a_reason(app: Flask) -> None:
    assert user_exists(app, "anna")
    assert not user_exists(app, "berta")
    for username, password, role, reason in [
        ("anna", PASSWORD, "physician", "already"),
        ("berta", "short", "physician", "too short"),
        ("berta", PASSWORD, "king", "no role"),
        ("../berta", PASSWORD, "physician", "cannot be a user name"),
    ]:
        with pytest.raises(AccountError, match=reason):
            create_user(app, username, password, role)
    assert not user_exists(app, "berta")


def test_a_new_password_ends_every_session_and_the_old_one_is_worth_nothing(
    app: Flask, anna: Reviewer
) -> None:
    assert anna.get("/api/session").status_code == 200
    set_password(app, "anna", "another horse")
    assert anna.get("/api/session").status_code == 401
    assert post_login(app.test_client(), "anna", PASSWORD).status_code == 200
    assert post_login(app.test_client(), "anna", "another horse").status_code == 302
    for username, password in [("anna", "short"), ("berta", "long enough")]:
        with pytest.raises(AccountError):
            set_password(app, username, password)


def test_logins_are_audited_but_never_what_was_typed_as_an_unknown_name(
    app: Flask, store: Store
) -> None:
    client = app.test_client()
    post_login(client, "my-secret-password", PASSWORD)
    post_login(client, "anna", "wrong password")
    post_login(client, "anna", PASSWORD)
    with store.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT event, who FROM audit ORDER BY id").all()
    assert [tuple(row) for row in rows][-3:] == [
        ("login.refused", "unknown"),
        ("login.refused", "anna"),
        ("login", "anna"),
    ]


def test_an_administrator_looks_but_does_not_contour(app: Flask, store: Store) -> None:
    create_user(app, "root", PASSWORD, ADMIN)
    root = Reviewer.log_in(app, "root")
    geometry = small_geometry()
    case_id = put_case(store, Volume(np.zeros(geometry.shape, np.int16), geometry))
    assert root.get(f"/cases/{case_id}").status_code == 200
    assert root.get(f"/api/cases/{case_id}").json["editable"] is False  # type: ignore[index]
    assert root.open(case_id).status_code == 403


def test_an_unknown_page_or_case_is_answered_in_words(anna: Reviewer) -> None:
    missing = anna.get(f"/api/cases/{'0' * 32}")
    assert missing.status_code == 404
    assert missing.json["error"]["kind"] == "no_such_case"  # type: ignore[index]
    assert anna.get("/api/nowhere").json["error"]["kind"] == "not_found"  # type: ignore[index]
    assert "Back to the worklist" in anna.get("/nowhere").text


@pytest.mark.parametrize("name", ["node", "Trainer", "console", "UNKNOWN", "tps"])
def test_no_account_is_called_like_a_part_of_the_node_or_a_peer(app: Flask, name: str) -> None:
    with pytest.raises(AccountError, match="Choose another name"):
        create_user(app, name, PASSWORD)


def test_a_name_is_taken_whatever_its_capitals(app: Flask, anna: Reviewer) -> None:
    with pytest.raises(AccountError, match="already an account"):
        create_user(app, "ANNA", PASSWORD)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00"])
def test_an_event_of_no_time_is_refused(anna: Reviewer, store: Store, at: str) -> None:
    geometry = small_geometry()
    case_id = put_case(store, Volume(np.zeros(geometry.shape, np.int16), geometry))
    said = anna.post(
        f"/api/cases/{case_id}/events", events=[{"at": at, "kind": "slice", "detail": {}}]
    )
    assert said.status_code == 422
