"""The quarantine page: administrators see, take and delete what could not be read; audited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.config import Settings
from core.quarantine_store import Quarantined
from core.store import Store, open_store
from dicom_node.network.inbox import Inbox, Received
from dicom_node.network.quarantine import Quarantine
from review_ui import create_app
from review_ui.accounts import create_user
from review_ui.roles import ADMIN
from tests.support.review_case import PASSWORD, Reviewer
from tests.support.settings import settings_for
from tests.support.synthetic_dicom import ct_series, encoded

REASON = "StudyInstanceUID (type 1) is missing. <b>The sender must be corrected</b>"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings)


def logged_in(settings: Settings, store: Store, role: str) -> Reviewer:
    app = create_app(settings, store)
    create_user(app, "otto", PASSWORD, role)
    return Reviewer.log_in(app, "otto")


def put_refused(settings: Settings, store: Store, content: bytes = b"broken" * 500) -> Quarantined:
    quarantine = Quarantine(settings.data_folder, store.quarantine)
    quarantine.set_aside(Received(content, "1.2", "1.2.3", "OTHERTPS"), reason=REASON)
    return store.quarantine.all()[0]


def put_kept(settings: Settings, store: Store) -> Quarantined:
    ds = ct_series()[0]
    inbox = Inbox(settings.data_folder, store.instances, reserve_mb=0)
    inbox.keep(Received(encoded(ds), str(ds.SOPClassUID), str(ds.SOPInstanceUID), "TPS"))
    (kept,) = store.instances.find(str(ds.SOPInstanceUID))
    before = datetime.now(UTC) - timedelta(days=1)
    store.quarantine.damaged(kept, reason="cannot be decoded", now=before)
    return store.quarantine.all()[-1]


def events(store: Store) -> list[tuple[str, str]]:
    query = "select who, event from audit where event like 'quarantine%' order by id"
    with store.engine.connect() as connection:
        return [(who, event) for who, event in connection.execute(sa.text(query))]


def test_an_administrator_sees_what_was_refused_and_why(settings: Settings, store: Store) -> None:
    otto = logged_in(settings, store, ADMIN)
    assert "Nothing is in quarantine." in otto.get("/quarantine/").text
    before = datetime.now(UTC)
    put_refused(settings, store)
    days = {day.strftime("%Y-%m-%d") for day in (before, datetime.now(UTC))}
    text = otto.get("/quarantine/").text
    assert "OTHERTPS" in text
    assert "3.0 kB" in text
    assert "&lt;b&gt;The sender must be corrected" in text
    assert any(day in text for day in days)
    assert 'href="/quarantine/"' in otto.get("/").text


def test_only_administrators_see_take_or_delete(settings: Settings, store: Store) -> None:
    put_refused(settings, store)
    anna = logged_in(settings, store, "physician")
    assert anna.get("/quarantine/").status_code == 403
    assert anna.get("/quarantine/1/file").status_code == 403
    assert anna.post("/quarantine/1/delete").status_code == 403
    assert 'href="/quarantine/"' not in anna.get("/").text
    assert store.quarantine.count() == 1
    nobody = create_app(settings, store).test_client()
    assert nobody.get("/quarantine/").status_code == 302
    assert nobody.get("/quarantine/1/file").status_code == 302


def test_the_file_comes_as_it_is_and_the_copy_is_audited(settings: Settings, store: Store) -> None:
    put_refused(settings, store)
    answer = logged_in(settings, store, ADMIN).get("/quarantine/1/file")
    assert answer.data == b"broken" * 500
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=quarantine-")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.mimetype == "application/octet-stream"
    assert events(store)[-1] == ("otto", "quarantine.downloaded")


def test_deleting_takes_file_and_entry_and_is_audited(settings: Settings, store: Store) -> None:
    found = put_refused(settings, store)
    otto = logged_in(settings, store, ADMIN)
    assert otto.post("/quarantine/1/delete").status_code == 303
    assert store.quarantine.all() == []
    assert not (settings.data_folder / found.path).exists()
    assert events(store)[-1] == ("otto", "quarantine.removed")
    assert otto.post("/quarantine/1/delete").status_code == 404


def test_a_kept_instance_stays_when_its_entry_goes(settings: Settings, store: Store) -> None:
    found = put_kept(settings, store)
    otto = logged_in(settings, store, ADMIN)
    assert "Take off the list" in otto.get("/quarantine/").text
    otto.post(f"/quarantine/{found.id}/delete")
    assert store.quarantine.all() == []
    assert (settings.data_folder / found.path).is_file()


def test_a_form_without_its_token_deletes_nothing(settings: Settings, store: Store) -> None:
    put_refused(settings, store)
    otto = logged_in(settings, store, ADMIN)
    assert otto.client.post("/quarantine/1/delete").status_code == 400
    assert store.quarantine.count() == 1


def test_a_file_that_is_gone_is_404(settings: Settings, store: Store) -> None:
    found = put_refused(settings, store)
    (settings.data_folder / found.path).unlink()
    otto = logged_in(settings, store, ADMIN)
    assert otto.get("/quarantine/1/file").status_code == 404
    assert otto.get("/quarantine/77/file").status_code == 404


def test_the_status_counts_what_is_in_quarantine_for_who_sees_every_case(
    settings: Settings, store: Store
) -> None:
    otto = logged_in(settings, store, ADMIN)
    put_refused(settings, store)
    put_kept(settings, store)
    assert otto.get("/api/status").json["quarantined"] == 2  # type: ignore[index]
    page = create_app(settings, store)
    create_user(page, "anna", PASSWORD)
    assert Reviewer.log_in(page).get("/api/status").json["quarantined"] == 0  # type: ignore[index]
