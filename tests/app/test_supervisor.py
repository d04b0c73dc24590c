"""One process that looks after the others, and what it tells whoever looks after it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app import supervisor
from app.alerting.restarts import Ends, Restarts, restarting
from app.clinic import wait_for
from app.supervisor import Supervisor
from app.watchdog import Watchdog
from core.config import load_settings
from tests.support.node import start
from tests.support.settings import free_port, write_config


@contextmanager
def running(supervised: Supervisor) -> Iterator[None]:
    thread = threading.Thread(target=supervised.run)
    thread.start()
    try:
        yield
    finally:
        supervised.stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


def test_systemd_hears_that_it_is_ready_that_it_lives_and_that_it_ends(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.settimeout(60)
        told = Watchdog({"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "200000"})
        supervised = Supervisor(write_config(tmp_path), threading.Event(), (), told)
        with running(supervised):
            heard = [systemd.recv(100) for _ in range(4)]
        assert heard == [b"READY=1"] + [b"WATCHDOG=1"] * 3
        while (last := systemd.recv(100)) == b"WATCHDOG=1":
            pass
        assert last == b"STOPPING=1"


def test_without_systemd_nobody_is_told(tmp_path: Path) -> None:
    with running(Supervisor(write_config(tmp_path), threading.Event(), (), Watchdog({}))):
        pass


def test_what_keeps_dying_is_started_again_after_ever_longer_pauses(tmp_path: Path) -> None:
    supervised = Supervisor(write_config(tmp_path), threading.Event(), ("nothing",), Watchdog({}))
    with capture_logs() as logged, running(supervised):
        deadline = time.monotonic() + 60
        while sum(entry["event"] == "process.ended" for entry in logged) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    pauses = [entry["restart_in_s"] for entry in logged if entry["event"] == "process.ended"]
    assert pauses[:4] == [0.2, 0.4, 0.8, 1.6]
    folder = load_settings(supervised.config).data_folder
    ((role, _host),) = restarting(folder)  # what is told of it: tests/app/test_alerting.py
    assert role == "nothing"
    Restarts(folder).begin()
    assert restarting(folder) == []


def test_what_ends_every_half_minute_is_told_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STEADY_S", -1.0)  # each start lasts long enough
    supervised = Supervisor(write_config(tmp_path), threading.Event(), ("nothing",), Watchdog({}))
    folder = load_settings(supervised.config).data_folder
    with running(supervised):
        told = lambda: [role for role, _ in restarting(folder)] == ["nothing"]  # noqa: E731
        wait_for(told, timeout_s=60, what="the note of restarts")


def test_three_ends_in_a_quarter_of_an_hour_are_many_until_it_is_over() -> None:
    ends = Ends()
    for now_s in (0.0, 31.0, 62.0):
        assert not ends.are_many("worker", now_s)
        ends.add("worker", now_s)
    assert ends.are_many("worker", 62.0)
    assert not ends.are_many("trainer", 62.0)
    assert ends.are_many("worker", 900.0)
    assert not ends.are_many("worker", 901.0)


def test_a_disk_that_keeps_no_note_of_restarts_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("no folder")
    with capture_logs() as logged:
        restarts = Restarts(tmp_path)
        restarts.begin()
        restarts.note("worker")
        restarts.steady("worker")
    assert {entry["event"] for entry in logged} == {"restarts.not_kept"}
    assert restarting(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "todo", "wrong"),
    [
        ("\n# as it was\n", "Restart the node to use it.", None),
        ("\nno_such_key: 1\n", "Do not restart the node yet.", "no_such_key"),
    ],
)
def test_a_changed_configuration_is_told_once_and_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, todo: str, wrong: str | None
) -> None:
    monkeypatch.setattr(supervisor, "LOOK_AT_CONFIG_S", 0.0)
    looks: list[Watchdog] = []

    def lives(self: Watchdog) -> None:  # said each time before the configuration is looked at
        looks.append(self)

    monkeypatch.setattr(Watchdog, "lives", lives)

    def look_several_times() -> None:
        enough = len(looks) + 4
        wait_for(lambda: len(looks) >= enough, timeout_s=60, what="the supervisor to look")

    config = write_config(tmp_path)
    supervised = Supervisor(config, threading.Event(), (), Watchdog({}))
    with capture_logs() as logged, running(supervised):
        look_several_times()
        assert [entry for entry in logged if entry["event"] == "config.changed"] == []
        with config.open("a") as file:
            file.write(change)
        look_several_times()
    (entry,) = (entry for entry in logged if entry["event"] == "config.changed")
    assert entry["todo"] == todo
    assert wrong is None or wrong in entry["wrong"]


def test_a_database_that_is_away_at_the_start_is_waited_for(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://node@127.0.0.1:{free_port()}/recontour"
    config, log = write_config(tmp_path, database_url=url), tmp_path / "node.log"
    process = start(config, log, "--only", "review")
    try:
        tried = lambda: log.read_text().count("process.ended") >= 2  # noqa: E731
        wait_for(tried, timeout_s=60, what="the review page to be tried again")
        assert process.poll() is None
        assert log.read_text().count("database.away") >= 3
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0
