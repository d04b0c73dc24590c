"""The receiving process of a node by itself, and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_context

from app.clinic import wait_for
from core.config import Settings, load_settings
from core.store import Store, open_store
from tests.support.settings import free_port, write_config
from tests.support.synthetic_dicom import ct_series

GOOD, ATTACKER = "127.0.0.1", "127.0.0.2"
"""Two addresses of this machine: limits hold for each by itself."""


@dataclass(frozen=True)
class Receiver:
    """`app.node` as its own process."""

    settings: Settings
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        return self.settings.dicom.port

    def store(self) -> Store:
        return open_store(self.settings)

    def processes(self) -> list[int]:
        """The process, or where several receive those."""
        own = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in own.read_text().split()] or [self.process.pid]

    def resident_mb(self) -> float:
        """Memory, the largest of its processes."""
        return max(_statm_mb(pid) for pid in self.processes())

    def threads(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in self.processes())

    def sockets(self) -> int:
        return sum(sockets_of(pid) for pid in self.processes())

    def serve_good_peer(self, *, within_s: float = 10.0, address: str = GOOD) -> None:
        """Fail unless a planning system is served now: it associates and stores an instance."""
        instance = ct_series()[0]
        started = time.monotonic()
        ae = AE("TPS")
        ae.acse_timeout = ae.dimse_timeout = ae.connection_timeout = within_s
        contexts = [build_context(CTImageStorage, ExplicitVRLittleEndian)]
        association = ae.associate(
            "127.0.0.1",
            self.port,
            contexts=contexts,
            ae_title="RECONTOUR",
            bind_address=(address, 0),
        )
        assert association.is_established, "the good peer is not let in"
        assert association.send_c_store(instance).Status == 0x0000
        association.release()
        assert time.monotonic() - started < within_s, "the good peer had to wait"


@contextmanager
def running_receiver(
    folder: Path, *, under: Sequence[str] = (), **changes: Any
) -> Iterator[Receiver]:
    """A receiver that answers, while the block runs; `changes` are keys of `dicom`.

    `under` is a command that runs it and leaves it its process (strace -D).
    """
    dicom = {"port": free_port(), "network_timeout_s": 15, **changes}
    config = write_config(folder, dicom=dicom, disk_reserve_mb=1)
    log = folder / "node.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*under, sys.executable, "-m", "app.node", str(config)],
            stdout=file,
            stderr=file,
            env={**os.environ, "RECONTOUR_PARENT": str(os.getpid())},
            start_new_session=True,  # as in tests/support/node.py
        )
    receiver = Receiver(load_settings(config), process, log)
    try:
        wait_for(lambda: _is_up(receiver), timeout_s=60, what="the receiver")
        yield receiver
    finally:
        process.terminate()
        process.wait(timeout=30)


def _is_up(receiver: Receiver) -> bool:
    assert receiver.process.poll() is None, receiver.log.read_text()
    return receiver.log.read_text().count("node.listening") == receiver.settings.dicom.receivers


def _statm_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def sockets_of(pid: int) -> int:
    """How many sockets a process has open."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    return sum(_target(link).startswith("socket:") for link in links)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed a moment ago
        return ""
