"""Logging in at a provider, which runs beside: who is let in, and who is not."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.checks.login_service import login_service
from core.audit_store import AuditEntry, AuditQuestion
from core.errors import ConfigError
from core.oidc_config import Role
from core.store import Store, open_store
from review_ui import create_app, oidc_provider
from review_ui.accounts import create_user
from review_ui.guessing import LIMITS
from review_ui.oidc import own_path
from review_ui.roles import ROLES
from tests.support.certificates import Authority, Certificate
from tests.support.oidc_provider import CLIENT, SECRET, Provider
from tests.support.oidc_provider import oidc_provider as running
from tests.support.review_case import NOW, PASSWORD, post_login
from tests.support.settings import settings_for

PUBLIC = "http://127.0.0.1:8080"
GROUPED = [{"name": "heart", "structures": ["Heart"], "destinations": ["TPS"], "group": "breast"}]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Authority(tmp_path_factory.mktemp("authority")).certify("provider")


@pytest.fixture(scope="module")
def provider(certificate: Certificate) -> Iterator[Provider]:
    with running(certificate) as found:
        yield found


@dataclass(frozen=True, slots=True)
class Clinic:
    """A page that knows the provider, with anna's account and that of bert, who left."""

    app: Flask
    store: Store
    folder: Path
    oidc: dict[str, Any]

    def browser(self) -> FlaskClient:
        return self.app.test_client()

    def newest(self) -> AuditEntry:
        return self.store.audit.page(AuditQuestion(), page=1).rows[0]

    def making(self, **changes: Any) -> Flask:
        """The same page where accounts are made."""
        oidc = {**self.oidc, "make_accounts": True, **changes}
        settings = settings_for(
            self.folder, oidc=oidc, rules=GROUPED, review={"public_url": PUBLIC}
        )
        return create_app(settings, self.store)


@pytest.fixture(scope="module")
def clinic(
    provider: Provider, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clinic]:
    folder = tmp_path_factory.mktemp("clinic")
    secret = folder / "oidc-secret"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o600)
    oidc = {
        "issuer": provider.issuer,
        "client_id": CLIENT,
        "client_secret_file": secret.name,
        "authorities": str(certificate.authorities),
    }
    settings = settings_for(folder, oidc=oidc, review={"public_url": PUBLIC})
    store = open_store(settings)
    app = create_app(settings, store)
    create_user(app, "anna", PASSWORD, one_time=True, welcomed=False)
    create_user(app, "bert", PASSWORD)
    store.accounts.set_active("bert", active=False, admin="admin", who="console", now=NOW)
    yield Clinic(app, store, folder, oidc)
    store.engine.dispose()


def led(browser: FlaskClient, wanted: str = "") -> str:
    """To the provider and back: the path at which the browser asks us again."""
    away = browser.get(f"/oidc/login?next={wanted}")
    assert away.status_code == 302, away.text
    return returned(away.headers["Location"])


def returned(address: str) -> str:
    parts = urlsplit(address)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(parts.netloc, context=context, timeout=60)
    connection.request("GET", f"{parts.path}?{parts.query}")
    back = connection.getresponse().headers["Location"]
    connection.close()
    assert back.startswith(f"{PUBLIC}/oidc/callback?")
    return back.removeprefix(PUBLIC)


def user_of(browser: FlaskClient) -> str | None:
    answer = browser.get("/api/session")
    return answer.json["user"] if answer.status_code == 200 else None  # type: ignore[index]


def refused(answer: TestResponse, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.text.replace("&#39;", "'")


# --- let in


def test_who_the_provider_proves_enters_the_account_of_that_name(
    clinic: Clinic, provider: Provider
) -> None:
    provider.behave(preferred_username="anna")
    browser = clinic.browser()
    answer = browser.get(led(browser, "/status"))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/status")
    assert user_of(browser) == "anna"
    entry = clinic.newest()
    assert (entry.who, entry.event, entry.detail) == ("anna", "login", {"by": "provider"})
    # A one-time password that was never used does not stand in the way.
    browser.get("/account/")
    assert "One-time password" not in browser.get("/account/").text


def test_the_session_before_does_not_go_on_and_logging_out_ends_the_new_one(
    clinic: Clinic, provider: Provider
) -> None:
    provider.behave(preferred_username="anna")
    browser = clinic.browser()
    with browser.session_transaction() as session:
        session["planted"], session["login"] = "before", "known to somebody else"
    browser.get(led(browser))
    with browser.session_transaction() as session:
        assert "planted" not in session
        assert session["login"] != "known to somebody else"
        assert session.permanent
    copy = browser.get_cookie("recontour")
    assert copy is not None
    token = browser.get("/api/session").json["csrf_token"]  # type: ignore[index]
    browser.post("/logout", headers={"X-CSRFToken": token})
    thief = clinic.browser()
    thief.set_cookie("recontour", copy.value)
    assert user_of(thief) is None


def test_passwords_go_on_beside_it_and_the_page_shows_both(clinic: Clinic) -> None:
    browser = clinic.browser()
    assert 'data-login="provider"' in browser.get("/login").text
    assert post_login(browser, "anna", PASSWORD).status_code == 302


def test_an_account_is_made_with_the_roles_and_groups_of_the_claims(
    clinic: Clinic, provider: Provider
) -> None:
    app = clinic.making(
        roles={"RT-Physicians": ["physician"], "RT-Physics": ["physicist", "viewer"]},
        groups={"RT-Physicians": ["breast"]},
    )
    provider.behave(preferred_username="carla", groups=["RT-Physicians", "Canteen"])
    browser = app.test_client()
    browser.get(led(browser))
    assert user_of(browser) == "carla"
    (made,) = (one for one in clinic.store.accounts.all() if one.username == "carla")
    assert made.roles == ("physician",)
    assert clinic.store.groups.of("carla") == {"breast"}
    created = clinic.store.audit.page(AuditQuestion(event="account.created"), page=1).rows[0]
    assert (created.who, created.detail["account"]) == ("provider", "carla")
    provider.behave(preferred_username="dora", groups="Canteen")
    refused(browser.get(led(browser)), 403, "gives no role here")
    assert clinic.newest().detail["reason"] == "no_role"


# --- not let in


@pytest.mark.parametrize(
    ("says", "words", "reason"),
    [
        ({"preferred_username": "anna", "nonce": "of another login"}, "not right", "wrong_token"),
        ({"preferred_username": "anna", "exp": 1_700_000_000}, "not right", "wrong_token"),
        (
            {"preferred_username": "anna", "aud": "another", "azp": CLIENT},
            "not right",
            "wrong_token",
        ),
        ({"preferred_username": "anna", "iss": "https://evil"}, "not right", "wrong_token"),
        ({"preferred_username": "emil"}, "There is no account emil here", "no_account"),
        ({"preferred_username": "bert"}, "not active", "not_active"),
        ({"preferred_username": "../../etc"}, "does not say a user name", "no_name"),
        ({"preferred_username": ["anna"]}, "does not say a user name", "no_name"),
    ],
    ids=["nonce", "expired", "audience", "issuer", "unknown", "inactive", "no-name", "list"],
)
def test_a_proof_that_is_not_whole_lets_nobody_in(
    says: dict[str, Any], words: str, reason: str, clinic: Clinic, provider: Provider
) -> None:
    provider.behave(**says)
    browser = clinic.browser()
    refused(browser.get(led(browser)), 403, words)
    assert user_of(browser) is None
    entry = clinic.newest()
    assert (entry.event, entry.detail["by"], entry.detail["reason"]) == (
        "login.refused",
        "provider",
        reason,
    )


def test_a_signature_by_another_key_lets_nobody_in(clinic: Clinic, provider: Provider) -> None:
    provider.behave(preferred_username="anna")
    provider.signs_with = rsa.generate_private_key(65537, 2048)
    browser = clinic.browser()
    refused(browser.get(led(browser)), 403, "not right")
    assert user_of(browser) is None


def test_a_proof_that_nobody_signed_lets_nobody_in_whatever_the_provider_permits(
    clinic: Clinic, provider: Provider
) -> None:
    provider.behave(preferred_username="anna")
    provider.signs = False
    browser = clinic.browser()
    refused(browser.get(led(browser)), 403, "not right")
    assert user_of(browser) is None


def test_an_answer_that_this_browser_did_not_ask_for_lets_nobody_in(
    clinic: Clinic, provider: Provider
) -> None:
    provider.behave(preferred_username="anna")
    ours, theirs = clinic.browser(), clinic.browser()
    path = led(theirs)
    before = clinic.newest().id
    refused(ours.get(path), 403, "not begun in this browser")
    assert clinic.newest().id == before  # any page elsewhere may lead a browser here
    led(ours)
    provider.asked.clear()
    refused(ours.get(path), 403, "not begun in this browser")
    assert clinic.newest().detail["reason"] == "wrong_state"
    assert user_of(ours) is None
    assert provider.asked == []
    theirs.get(path)
    refused(theirs.get(path), 403, "not begun in this browser")  # it is good once


def test_a_provider_that_refuses_is_told_of_without_its_words(clinic: Clinic) -> None:
    browser = clinic.browser()
    state = parse_qs(urlsplit(browser.get("/oidc/login").headers["Location"]).query)["state"][0]
    answer = browser.get(f"/oidc/callback?error=<b>call+0900&state={state}")
    refused(answer, 403, "not right")
    assert "0900" not in answer.text


def test_who_failed_too_often_waits_here_as_with_a_password(
    clinic: Clinic, provider: Provider
) -> None:
    browser = clinic.making(make_accounts=False).test_client()
    provider.behave(preferred_username="anna")
    for _ in range(LIMITS["pair"]):
        post_login(browser, "anna", "not this one")
    answer = browser.get(led(browser))
    refused(answer, 429, "Too many attempts")
    assert user_of(browser) is None


@pytest.mark.parametrize("hangs", [False, True], ids=["nobody listens", "says nothing"])
def test_a_provider_that_does_not_answer_holds_nobody_up(
    hangs: bool, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_provider, "TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if hangs:
            silent.listen()
        issuer = f"https://127.0.0.1:{silent.getsockname()[1]}"
        browser = clinic.making(issuer=issuer, make_accounts=False).test_client()
        refused(browser.get("/oidc/login"), 502, "does not answer")
        began = time.monotonic()
        for _ in range(20):  # it is let rest: who comes meanwhile does not wait
            refused(browser.get("/oidc/login"), 502, "does not answer")
        assert time.monotonic() - began < 20 * 0.2
    assert browser.get("/login").status_code == 200


def test_a_provider_with_another_certificate_or_name_is_not_believed(
    clinic: Clinic, provider: Provider
) -> None:
    stranger = clinic.making(authorities="", make_accounts=False).test_client()
    refused(stranger.get("/oidc/login"), 502, "does not answer")
    renamed = clinic.making(issuer=f"{provider.issuer}/other", make_accounts=False)
    refused(renamed.test_client().get("/oidc/login"), 502, "not right")


def test_a_secret_that_others_may_read_is_not_used(clinic: Clinic, tmp_path: Path) -> None:
    careless = tmp_path / "secret"
    careless.write_text(SECRET)
    careless.chmod(0o644)
    app = clinic.making(client_secret_file=str(careless), make_accounts=False)
    refused(app.test_client().get("/oidc/login"), 502, "not right")


def test_the_doctor_says_whether_it_answers(clinic: Clinic, provider: Provider) -> None:
    def asked(**changes: str) -> tuple[str, str]:
        oidc = {**clinic.oidc, **changes}
        settings = settings_for(clinic.folder, oidc=oidc, review={"public_url": PUBLIC})
        (finding,) = login_service(settings)
        return finding.state, finding.found

    assert asked() == ("OK", f"{provider.issuer} answers")
    assert asked(issuer=f"{provider.issuer}/")[1].endswith("(wrong_metadata)")
    state, found = asked(authorities="")
    assert (state, found[-11:]) == ("FAIL", "(no_answer)")


# --- where one is led


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example", r"/\evil.example", "/\t/evil", "evil", ""]
)
def test_nobody_is_led_elsewhere(wanted: str, clinic: Clinic) -> None:
    with clinic.app.test_request_context():
        assert own_path(wanted) == "/"
        assert own_path("/cases/1/figures?print=1") == "/cases/1/figures?print=1"


# --- configuration


def test_without_a_provider_there_is_no_button_and_no_way(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    store = open_store(settings)
    browser = create_app(settings, store).test_client()
    assert "hospital account" not in browser.get("/login").text
    assert browser.get("/oidc/login").status_code == 404
    assert browser.get("/oidc/callback").status_code == 404
    store.engine.dispose()


@pytest.mark.parametrize(
    ("oidc", "words"),
    [
        (
            {"issuer": "http://sso.hospital", "client_id": "x"},
            "issuer must be an address",
        ),
        ({"issuer": "https://sso.hospital"}, "client_id is missing"),
        ({"issuer": "https://sso.hospital", "client_id": "x"}, "needs review.public_url"),
        ({"make_accounts": True}, "make_accounts needs roles"),
        ({"roles": {"x": ["king"]}}, "oidc.roles.x.0"),
        ({"groups": {"x": ["lung"]}}, "no rule has the group lung"),
    ],
)
def test_what_cannot_work_is_refused_by_its_key(
    oidc: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=words):
        settings_for(tmp_path, oidc=oidc)


def test_the_roles_that_may_be_given_are_the_roles_there_are() -> None:
    assert set(Role.__args__) == set(ROLES)  # type: ignore[attr-defined]
