"""What is wrong is told once when it begins and once when it is over, to real servers over TLS."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app import alarm
from app.alerting import channels, watch
from app.alerting.conditions import standing
from app.alerting.restarts import Restarts
from app.alerting.watch import Watch, tell_notice
from app.cli import app
from app.room import Room
from app.workflows import Story
from core.config import load_settings
from core.model_tables import model_state, model_version
from core.records import Round
from core.store import open_store
from core.volume import Volume
from model.predict import Predictor
from review_ui import create_app
from review_ui.accounts import create_user
from tests.app.test_after_an_upgrade import Noted
from tests.review_ui.test_deliveries import approved_case, change
from tests.support.alert_peers import (
    HOST,
    PASSWORD,
    MailServer,
    WebServer,
    mail_server,
    web_server,
)
from tests.support.certificates import Authority, Certificate
from tests.support.review_case import MODEL, NOW, Reviewer, put_case, small_geometry
from tests.support.review_case import PASSWORD as LOGIN
from tests.support.settings import write_config

pytestmark = pytest.mark.peer
GEOMETRY = small_geometry()
CT = Volume(np.zeros(GEOMETRY.shape, np.int16), GEOMETRY)
DISK = {"disk": "Less than 500 MB are free."}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.certify("hospital")


@dataclass
class Site:
    """A node whose clock stands still, and the two that it tells."""

    config: Path
    room: Room
    mail: MailServer
    web: WebServer
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def after(self, **passed: float) -> None:
        self.now += timedelta(**passed)

    def tell_all(self) -> list[str]:
        """What the worker does with what is due at this moment."""
        told = []
        while due := Watch(self.room).due():
            told += [tell_notice(self.room, notice.id) for notice in due]
        return told

    def note(self, wrong: dict[str, str]) -> None:
        self.room.store.alerts.note(wrong, channels=("mail", "webhook"), now=self.now)


def alerts_of(authority: Authority, folder: Path, mail: int, web: int) -> dict[str, Any]:
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "password").chmod(0o600)
    trusted = str(authority.certificate)
    return {
        "mail": {
            "host": HOST,
            "port": mail,
            "authorities": trusted,
            "username": "node",
            "password_file": "password",
            "sender": "node@hospital.example",
            "recipients": ["it@hospital.example"],
        },
        "webhook": {"url": f"https://{HOST}:{web}/alerts?team=it", "authorities": trusted},
    }


@pytest.fixture
def site(tmp_path: Path, authority: Authority, certificate: Certificate) -> Iterator[Site]:
    with mail_server(certificate) as mail, web_server(certificate) as web:
        config = write_config(tmp_path, alerts=alerts_of(authority, tmp_path, mail.port, web.port))
        settings = load_settings(config)
        made = Site(config, Room(settings, open_store(settings)), mail, web)
        made.room = replace(made.room, now=lambda: made.now)
        yield made
        made.room.store.engine.dispose()


def test_a_failure_and_its_end_are_told_once_each_however_often_it_is_looked(site: Site) -> None:
    begun = site.now
    for _ in range(5):
        site.note(DISK)
        site.tell_all()
        site.after(minutes=1)
    for _ in range(5):
        site.note({})
        site.tell_all()
        site.after(minutes=1)
    subjects = [mail["Subject"] for mail in site.mail.mails]
    assert subjects == ["RECONTOUR needs attention: disk", "RECONTOUR is well again: disk"]
    assert site.mail.logins == [PASSWORD.encode()] * 2
    mail = site.mail.mails[0]
    assert mail["To"] == "it@hospital.example"
    assert str(mail.get_payload()).startswith("Less than 500 MB are free.")
    assert [(body["kind"], body["subject"]) for _, _, body in site.web.posts] == [
        ("failure", "disk"),
        ("recovery", "disk"),
    ]
    path, _, body = site.web.posts[1]
    assert path == "/alerts?team=it"
    assert body["node"] == "RECONTOUR"
    assert (body["began_at"], body["words"]) == (begun.isoformat(), DISK["disk"])
    assert datetime.fromisoformat(body["ended_at"]) > begun
    site.note(DISK)  # a new one
    assert site.tell_all() == ["told"] * 2


def test_what_comes_and_goes_within_a_minute_is_one_alert(site: Site) -> None:
    for wrong in (DISK, {}, DISK, {}, DISK):
        site.note(wrong)
        site.after(seconds=20)
    site.tell_all()
    assert len(site.mail.mails) == len(site.web.posts) == 1


def test_what_cannot_be_told_is_told_later_and_the_end_never_before_the_beginning(
    site: Site,
) -> None:
    site.web.status = 503
    site.note(DISK)
    site.after(minutes=2)
    site.note({})
    assert site.tell_all() == ["told", "failed", "told"]  # both by mail
    (untold,) = site.room.store.alerts.untold()
    assert (untold.kind, untold.channel) == ("failure", "webhook")
    assert untold.last_error == "the webhook's server does not take it (answered 503)."
    assert site.tell_all() == []  # the pause is not over
    site.web.status = 302  # followed it would lead anywhere
    site.after(minutes=6)
    assert site.tell_all() == ["failed"]
    site.web.status = 200
    site.after(minutes=6)
    assert site.tell_all() == ["told"] * 2
    assert [body["kind"] for _, _, body in site.web.posts][-2:] == ["failure", "recovery"]
    assert {path for path, _, _ in site.web.posts} == {"/alerts?team=it"}


def test_nothing_and_no_password_goes_to_a_server_without_tls_or_with_another_certificate(
    tmp_path: Path, site: Site, certificate: Certificate
) -> None:
    other = Authority(tmp_path / "other", "other")
    alerts = alerts_of(other, tmp_path, site.mail.port, site.web.port)
    config = write_config(tmp_path, alerts=alerts)
    test = ["doctor", "--test-alert", "--json", "--config", str(config)]
    found = {f["check"]: f for f in json.loads(CliRunner().invoke(app, test).stdout)}
    assert "SSLCertVerificationError" in found["alerts: mail"]["found"]
    assert "SSLCertVerificationError" in found["alerts: webhook"]["found"]
    with mail_server(certificate, starttls=False) as plain:
        alerts["mail"]["port"] = plain.port
        write_config(tmp_path, alerts=alerts)
        found = {f["check"]: f for f in json.loads(CliRunner().invoke(app, test).stdout)}
        assert "SMTPNotSupportedError" in found["alerts: mail"]["found"]
        assert not plain.mails
        assert not plain.logins
    assert not site.mail.mails
    assert not site.mail.logins
    assert not site.web.posts


def test_the_doctor_sends_a_test_and_says_what_is_wrong_with_a_secret(site: Site) -> None:
    test = ["doctor", "--test-alert", "--json", "--config", str(site.config)]
    found = {f["check"]: f for f in json.loads(CliRunner().invoke(app, test).stdout)}
    assert found["alerts: mail"]["state"] == found["alerts: webhook"]["state"] == "OK"
    assert site.mail.mails[0]["Subject"] == "RECONTOUR a test: alerts"
    assert site.web.posts[0][2]["kind"] == "test"
    (site.config.parent / "password").chmod(0o640)
    found = {f["check"]: f for f in json.loads(CliRunner().invoke(app, test).stdout)}
    assert "may be read by other accounts" in found["alerts: mail"]["found"]
    assert len(site.mail.mails) == 1


@pytest.mark.parametrize("secret", ["to\nken", "schlüssel", b"\xff\xfe"])
def test_a_secret_that_cannot_be_sent_is_an_error_that_does_not_tell_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, secret: str | bytes
) -> None:
    if isinstance(secret, bytes):
        file = site.config.parent / "password"
        file.write_bytes(secret)
    else:
        monkeypatch.setenv(channels.PASSWORD_VARIABLE, secret)
        monkeypatch.setenv(channels.TOKEN_VARIABLE, secret)
    site.note(DISK)
    assert "failed" in site.tell_all()
    for notice in site.room.store.alerts.untold():
        assert "printable ASCII" in notice.last_error
        assert str(secret) not in notice.last_error


def test_a_secret_of_the_environment_may_end_with_a_line_and_an_impossible_port_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(channels.TOKEN_VARIABLE, " token\n")
    site.note(DISK)
    assert site.tell_all() == ["told"] * 2
    assert site.web.posts[0][1]["Authorization"] == "Bearer token"
    alerts = site.room.settings.alerts
    hook = alerts.webhook.model_copy(update={"url": f"https://{HOST}:99999/hidden"})
    settings = site.room.settings.model_copy(
        update={"alerts": alerts.model_copy(update={"webhook": hook})}
    )
    told = channels.Message("1", "test", "alerts", "Words.", site.now)
    why = watch.why_not_told(settings, "webhook", told)
    assert why == "the webhook's server does not take it (ValueError)."


def test_each_thing_that_is_wrong_has_its_sentence_and_names_no_patient(site: Site) -> None:
    room, late = site.room, timedelta(minutes=11)
    assert standing(room) == {}
    approved_case(room.store, ["Stopped", "Again", "Glitch", "Held"])
    long_ago = site.now - timedelta(hours=1)
    change(room.store, "Stopped", state="HELD", last_error="Identity^Zoe does not read back.")
    change(room.store, "Again", attempts=3, begun_at=long_ago, created_at=long_ago)
    change(room.store, "Glitch", attempts=1, begun_at=site.now)  # it is tried again
    change(room.store, "Held", created_at=long_ago, next_try_at=site.now + 2 * late)
    Restarts(room.settings.data_folder).note("trainer")
    for number in range(room.settings.alerts.rounds_refused):
        assert "gate:Heart" not in standing(room)
        refused(room, number)
    found = standing(room)
    assert [name.partition("@")[0] for name in found] == [
        "delivery:Again",
        "delivery:Stopped",
        "process:trainer",
        "gate:Heart",
    ]
    assert "Identity" not in str(found)
    assert found["delivery:Again"].startswith("Structure sets do not reach Again (1).")
    Restarts(room.settings.data_folder).steady("trainer")
    assert not any(name.startswith("process") for name in standing(room))
    site.now += late
    assert "delivery:Glitch" in standing(room)
    assert "delivery:Held" not in standing(room)
    full = room.settings.model_copy(update={"disk_reserve_mb": 10**9})
    assert "disk" in standing(replace(room, settings=full))


def test_what_nobody_takes_up_is_told_once_a_model_is_there(site: Site) -> None:
    put_case(site.room.store, CT)
    site.after(days=30)
    assert standing(site.room) == {}  # without a model nobody waits for it
    with site.room.store.engine.begin() as connection:
        for table, values in in_service(site.now).items():
            connection.execute(sa.insert(table).values(**values))
    assert list(standing(site.room)) == ["queue:predict:Heart"]


def test_the_reconciler_has_it_told_as_a_job_and_looks_twice_a_minute(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Noted()
    monkeypatch.setattr(watch, "standing", lambda _room: DISK)
    story = Story(site.room, Predictor(site.room.settings.model), jobs)
    story.reconcile()
    story.reconcile()
    assert {key for key, _, _ in jobs.asked} == {"tell-1-0", "tell-2-0"}
    monkeypatch.setattr(watch, "standing", lambda _room: {"other": "Other."})
    story.reconcile()
    assert [alert.subject for alert in site.room.store.alerts.open()] == ["disk"]


def test_where_the_worker_keeps_ending_it_is_told_without_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    Restarts(site.room.settings.data_folder).note("worker")
    monkeypatch.setattr(sys, "argv", ["alarm", str(site.config)])
    monkeypatch.setattr(alarm, "start_logging", lambda _role: None)
    alarm.main()
    assert "process:worker@" in site.mail.mails[0]["Subject"]
    assert site.room.store.alerts.due(("mail", "webhook"), now=datetime.now(UTC)) == []
    (shown,) = site.room.store.alerts.open()
    assert "ends again and again" in shown.words


def test_the_status_page_shows_what_is_wrong_and_that_it_could_not_be_told(site: Site) -> None:
    page = create_app(site.room.settings, site.room.store)
    create_user(page, "otto", LOGIN, "admin")
    otto = Reviewer.log_in(page, "otto")
    create_user(page, "anna", LOGIN)
    anna = Reviewer.log_in(page)
    site.web.status = 500
    site.note(DISK)
    site.tell_all()
    assert anna.get("/api/status").json["alerts"] == []  # type: ignore[index]
    (shown,) = otto.get("/api/status").json["alerts"]  # type: ignore[index]
    assert shown["words"] == DISK["disk"]
    assert "answered 500" in shown["not_told"]
    site.after(minutes=2)
    site.note({})
    assert otto.get("/api/status").json["alerts"] == []  # type: ignore[index]


def test_who_contours_sees_what_concerns_contouring_and_no_count_over_all_groups(
    site: Site,
) -> None:
    page = create_app(site.room.settings, site.room.store)
    for name, role in (("anna", "physician"), ("vera", "viewer")):
        create_user(page, name, LOGIN, role)
    wrong = {
        "delivery:TPS": "Structure sets do not reach TPS (7).",
        "queue:predict:Heart": "Cases wait for a prediction of Heart (7).",
        "queue:intake": "Series wait (7).",
        "process:trainer@host": "The process trainer on host ends again and again.",
        "gate:Heart": "The last 5 rounds gave no better model.",
        **DISK,
    }
    site.note(wrong)
    seen = Reviewer.log_in(page).get("/api/status").json["alerts"]  # type: ignore[index]
    assert [one["words"][:31] for one in seen] == [
        "Structure sets do not reach TPS",
        "Proposals of Heart take longer ",
        "New series take longer than usu",
    ]
    assert not any("7" in one["words"] for one in seen)
    vera = Reviewer.log_in(page, "vera")
    assert vera.get("/api/status").json["alerts"] == []  # type: ignore[index]


def refused(room: Room, number: int) -> None:
    """A round of learning that gave no better model."""
    begun = Round(f"{number:032d}", "Heart", (), "RUNNING", 0, 10, None, None, "", NOW, None)
    room.store.learning.start_round(begun)
    room.store.learning.finish_round(begun.id, verdict="Worse.", now=NOW, released=None)


def in_service(now: datetime) -> dict[sa.Table, dict[str, Any]]:
    """Rows of a model in service."""
    version = {
        "version": MODEL, "roi_name": "Heart", "status": "released", "released_at": now,
        "validation_dice": 0.8, "training_set": [], "scores": {}, "detail": {}, "parent": None,
    }  # fmt: skip
    return {model_version: version, model_state: {"roi_name": "Heart", "in_service": MODEL}}
