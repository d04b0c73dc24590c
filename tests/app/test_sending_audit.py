"""The audit reaches the hospital's log whole, in order, and only over a connection it can trust."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from app.room import Room
from app.sending_audit import message, send_audit
from app.workflows import Story
from core import audit
from core.audit_export_store import AT_ONCE
from core.audit_store import AuditEntry
from core.store import Store, open_store
from model.predict import Predictor
from tests.app.test_after_an_upgrade import Noted
from tests.support.certificates import Authority, Certificate
from tests.support.review_case import NOW
from tests.support.settings import free_port, settings_for

pytestmark = pytest.mark.peer
HOST = "127.0.0.1"


@dataclass
class Log:
    """A log server that keeps what it was sent, message by message as RFC 5425 frames them."""

    port: int
    connections: list[bytes] = field(default_factory=list)

    def messages(self) -> list[str]:
        found, rest = [], b"".join(self.connections)
        while rest:
            length, _, rest = rest.partition(b" ")
            found.append(rest[: int(length)].decode())
            rest = rest[int(length) :]
        return found

    def ids(self) -> list[int]:
        return [json.loads(text[text.index("{") :])["id"] for text in self.messages()]


@contextmanager
def log_server(certificate: Certificate) -> Iterator[Log]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.private_key)
    listener = socket.create_server((HOST, 0))
    log = Log(listener.getsockname()[1])

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as secure:
                    received = b""
                    while part := secure.recv(65536):
                        received += part
                    log.connections.append(received)
                    secure.unwrap()
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield log
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.certify("log")


def room_for(folder: Path, authority: Authority, port: int) -> Room:
    syslog = {"host": HOST, "port": port, "authorities": str(authority.certificate)}
    settings = settings_for(folder, audit={"syslog": syslog})
    return Room(settings, open_store(settings))


def write(store: Store, count: int) -> None:
    with store.engine.begin() as connection:
        for number in range(count):
            audit.record(connection, who="anna", event="case.opened", now=NOW, number=number)


def send_all(room: Room) -> str:
    """What the reconciler does, for as long as something is due."""
    last = "nothing"
    while (due := room.store.audit_export.due(HOST, now=room.now())) is not None:
        last = send_audit(room, due.sent_id)
    return last


def test_a_row_is_one_message_as_the_standard_writes_it() -> None:
    entry = AuditEntry(7, NOW, "anna", "login.refused", None, {"address": "10.0.0.1"})
    text = (
        '<84>1 2026-11-23T09:30:00.000Z node1 recontour - login.refused - {"case": null, '
        '"dcm": "110114", "detail": {"address": "10.0.0.1"}, "event": "login.refused", "id": 7, '
        '"who": "anna"}'
    )
    assert message(entry, host="node1") == f"{len(text)} {text}".encode()
    opened = AuditEntry(8, NOW, "anna", "case.opened", "c" * 32, {"words": "Müller\nx"})
    sent = message(opened, host="node1")
    assert sent.partition(b" ")[2].startswith(b"<85>1 ")
    assert b"\n" not in sent
    assert b'"dcm": "110103"' in sent


def test_every_row_arrives_once_in_order_and_what_is_written_later_follows(
    tmp_path: Path, authority: Authority, certificate: Certificate
) -> None:
    with log_server(certificate) as log:
        room = room_for(tmp_path, authority, log.port)
        write(room.store, AT_ONCE + 3)
        assert send_all(room) == "sent"
        assert log.ids() == list(range(1, AT_ONCE + 4))
        assert len(log.connections) == 2
        assert send_all(room) == "nothing"
        write(room.store, 1)
        assert send_all(room) == "sent"
        assert log.ids()[-1] == AT_ONCE + 4


def test_while_the_log_is_down_the_rows_wait_and_pauses_grow(
    tmp_path: Path, authority: Authority, certificate: Certificate
) -> None:
    room = room_for(tmp_path, authority, free_port())
    write(room.store, 2)
    export = room.store.audit_export
    assert send_audit(room, 0) == send_audit(room, 0) == "failed"
    assert export.due(HOST, now=room.now()) is None
    found = export.due(HOST, now=room.now() + timedelta(minutes=5))
    assert found is not None
    assert (found.sent_id, found.attempts) == (0, 2)
    assert "ConnectionRefusedError" in found.last_error
    with log_server(certificate) as log:
        assert send_audit(room_for(tmp_path, authority, log.port), 0) == "sent"
        assert log.ids() == [1, 2]
    assert export.progress(HOST).last_error == ""


@pytest.mark.parametrize("wrong", ["authority", "name", "file"])
def test_nothing_is_sent_to_whoever_cannot_prove_to_be_the_log(
    tmp_path: Path, authority: Authority, certificate: Certificate, wrong: str
) -> None:
    shown, trusted = certificate, authority
    if wrong == "authority":
        trusted = Authority(tmp_path / "other", "other")
    elif wrong == "name":
        shown = authority.certify("elsewhere", host="DNS:elsewhere.example")
    with log_server(shown) as log:
        room = room_for(tmp_path, trusted, log.port)
        if wrong == "file":
            syslog = room.settings.audit.syslog.model_copy(
                update={"authorities": tmp_path / "none"}
            )
            changed = room.settings.audit.model_copy(update={"syslog": syslog})
            room = Room(room.settings.model_copy(update={"audit": changed}), room.store)
        write(room.store, 1)
        assert send_audit(room, 0) == "failed"
    assert b"".join(log.connections) == b""
    assert room.store.audit_export.progress(HOST).sent_id == 0


def test_the_reconciler_asks_for_one_try_at_a_time_and_for_none_without_a_log(
    tmp_path: Path, authority: Authority
) -> None:
    room = room_for(tmp_path, authority, free_port())
    write(room.store, 1)
    jobs = Noted()
    story = Story(room, Predictor(room.settings.model), jobs)
    story.reconcile()
    story.reconcile()
    assert send_audit(room, 0) == "failed"
    story.reconcile()  # the pause is not over
    assert jobs.asked == [(f"audit-{HOST}-0-0", "commit", None)] * 2  # one workflow: the key is one

    (tmp_path / "silent").mkdir()
    silent = Room(settings_for(tmp_path / "silent"), room.store)
    jobs.asked.clear()
    Story(silent, Predictor(room.settings.model), jobs).reconcile()
    assert jobs.asked == []
