"""Several machines as processes on this one: a supervisor each, one PostgreSQL, one data folder."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.clinic import wait_for
from app.clinic_dicom import SyntheticPatient
from app.peer import parse_peer
from core.config import Settings, load_settings
from core.errors import DeliveryError
from core.store import open_store
from dicom_node.network.scu import echo, send_instances
from review_ui import create_app
from review_ui.accounts import create_user
from tests.support.node import PASSWORD, USERNAME, children_of, node_config, start
from tests.support.settings import free_port

MACHINES = {
    "receiver-1": "node",
    "receiver-2": "node",
    "worker-1": "worker",
    "worker-2": "worker",
    "trainer": "trainer",
    "web": "review",
}


@dataclass(frozen=True)
class Cluster:
    """Machines by name; planning systems know both receivers."""

    settings: Settings
    machines: Mapping[str, subprocess.Popen[bytes]]
    ports: tuple[int, int]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.review.port}"

    def process_of(self, machine: str) -> int | None:
        """Process id of what a machine runs, where it runs."""
        return next(iter(children_of(self.machines[machine].pid)), None)

    def lose(self, machine: str) -> None:
        """The machine is gone, and does not come back."""
        self.machines[machine].kill()
        self.machines[machine].wait()

    def push(self, patient: SyntheticPatient) -> None:
        """Send a patient to whichever receiver takes all of it, as a TPS with two addresses."""
        peers = [parse_peer(f"RECONTOUR@127.0.0.1:{port}") for port in self.ports]

        def accepted() -> bool:
            for peer in peers:
                try:
                    send_instances(
                        [*patient.ct_paths, patient.dose_path], peer, calling_ae_title="TPS"
                    )
                except DeliveryError:
                    continue
                return True
            return False

        wait_for(accepted, timeout_s=120, what="a patient to be accepted")


@contextmanager
def running_cluster(
    folder: Path, database_url: str, tps_port: int, **changes: Any
) -> Iterator[Cluster]:
    """All machines, answering C-ECHO and with an account, while the block runs."""
    ports = (free_port(), free_port())
    config = node_config(folder, tps_port, database_url=database_url, **changes)
    settings = load_settings(config)
    store = open_store(settings)
    create_user(create_app(settings, store), USERNAME, PASSWORD, "physician")
    store.engine.dispose()
    own = {name: {"RECONTOUR_DICOM__PORT": str(port)} for name, port in zip(MACHINES, ports)}  # noqa: B905 (receivers alone)
    log = folder / "cluster.log"
    machines = {
        name: start(config, log, "--only", role, **own.get(name, {}))
        for name, role in MACHINES.items()
    }
    try:
        _wait_until_both_answer(ports)
        yield Cluster(settings, machines, ports, log)
    finally:
        _end(list(machines.values()))


def _wait_until_both_answer(ports: Sequence[int]) -> None:
    def answer() -> bool:
        for port in ports:
            echo(parse_peer(f"RECONTOUR@127.0.0.1:{port}"), calling_ae_title="TPS")
        return True

    wait_for(answer, timeout_s=120, what="both receivers")


def _end(machines: Sequence[subprocess.Popen[bytes]]) -> None:
    for machine in machines:
        machine.terminate()
    for machine in machines:
        machine.wait(timeout=30)
