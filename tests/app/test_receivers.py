"""Several receivers on one port: each takes its part, and what dies is started again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from app.clinic import wait_for
from core.records import RECOVERED
from tests.support.raw_scu import RawAssociation
from tests.support.receiver import Receiver, running_receiver, sockets_of

CT = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
MOST_OPENED = 30


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Receiver]:
    limits: dict[str, Any] = {
        "maximum_associations": MOST_OPENED,
        "maximum_associations_per_address": MOST_OPENED,
    }
    with running_receiver(tmp_path, receivers=2, network_timeout_s=30, **limits) as running:
        yield running


def test_associations_are_spread_over_the_receivers(pair: Receiver) -> None:
    before = {pid: sockets_of(pid) for pid in pair.processes()}
    assert len(before) == 2
    taken = [0, 0]
    with ExitStack() as open_ones:
        # Who accepts is for the scheduler to say; that all go to one is not.
        for opened in range(1, MOST_OPENED + 1):
            open_ones.enter_context(RawAssociation(pair.port, [CT]))
            taken = [sockets_of(pid) - before[pid] for pid in before]
            assert sum(taken) == opened
            if min(taken) >= 3:
                break
    assert min(taken) >= 3


def test_a_receiver_that_dies_is_replaced_while_the_other_serves(pair: Receiver) -> None:
    victim, other = pair.processes()
    os.kill(victim, signal.SIGKILL)
    pair.serve_good_peer()
    wait_for(
        lambda: pair.process.poll() is None and len(_alive(pair)) == 2,
        timeout_s=30,
        what="another receiver",
    )
    assert other in pair.processes()
    assert victim not in pair.processes()
    pair.serve_good_peer()


def _alive(pair: Receiver) -> list[int]:
    return [pid for pid in pair.processes() if _state(pid) not in {"", "Z"}]


def _state(pid: int) -> str:
    """As the system names it; empty where it has ended meanwhile."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def test_no_receiver_outlives_its_parent(pair: Receiver) -> None:
    receivers = pair.processes()
    pair.process.kill()
    pair.process.wait()
    wait_for(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in receivers),
        timeout_s=30,
        what="the receivers to end",
    )


def test_all_end_when_they_are_asked(pair: Receiver) -> None:
    receivers = pair.processes()
    pair.process.terminate()
    assert pair.process.wait(timeout=30) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in receivers)


def test_files_are_looked_through_once_and_rows_know_their_sender(
    pair: Receiver, tmp_path: Path
) -> None:
    pair.serve_good_peer()
    assert pair.log.read_text().count("node.reindexed") == 1
    pair.process.terminate()
    pair.process.wait(timeout=30)
    (pair.settings.data_folder / "recontour.db").unlink()  # a lost database
    with running_receiver(tmp_path, receivers=2) as again:
        (row,) = _rows(again)
        assert row == "TPS" != RECOVERED


def _rows(receiver: Receiver) -> list[str]:
    store = receiver.store()
    with store.engine.connect() as connection:
        found = connection.exec_driver_sql("select calling_ae_title from instance")
        return [str(row[0]) for row in found]
