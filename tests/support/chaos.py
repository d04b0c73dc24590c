"""A clinic that goes on while everything dies: a TPS, a reviewer, a flaky peer, an assassin."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from app.clinic import PageError, Physician, Tps, wait_for
from app.clinic_dicom import SyntheticPatient
from app.peer import parse_peer
from core.errors import DeliveryError
from core.files import sha256_of
from core.geometry import Mask
from dicom_node.network.inbox import Received
from dicom_node.network.scu import send_instances
from tests.support.node import PASSWORD, USERNAME, RunningNode, children_of, start
from tests.support.postgresql import Server

FINISHED = frozenset({"APPROVED", "DELIVERED"})
PATIENCE_S = 300.0
TURNS = (
    *("receiver", "worker", "review", "trainer", "receiver", "worker", "node", "review"),
    *("database", "worker", "trainer", "receiver", "review", "supervisor", "database", "sandbox"),
)
"""Who dies how often; the dear ones less."""


@dataclass
class FlakyTps(Tps):
    """Refuses some instances; of some it keeps, it says that it did not."""

    rng: random.Random = field(default_factory=lambda: random.Random(3))
    digests: dict[str, set[str]] = field(default_factory=dict)

    def keep(self, received: Received) -> None:
        mood = self.rng.random()
        if mood < 0.3:
            raise OSError(28, "No space left on device")
        super().keep(received)
        content = sha256_of(received.part10)
        self.digests.setdefault(received.sop_instance_uid, set()).add(content)
        if mood < 0.5:
            raise OSError(5, "Input/output error")


class Assassin(threading.Thread):
    """Ends something at random every moment, as often as it was told to."""

    def __init__(self, node: RunningNode, server: Server | None, *, kills: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.node, self.server = node, server
        self.rng = random.Random(seed)
        whom = [turn for turn in TURNS if turn != "database" or server is not None]
        self.turns = list(islice(cycle(whom), kills))
        self.rng.shuffle(self.turns)
        self.killed: list[str] = []

    def run(self) -> None:
        for turn in self.turns:
            time.sleep(self.rng.uniform(0.5, 4.0))
            self.end(turn)
            self.killed.append(turn)

    def end(self, whom: str) -> None:
        if whom == "database":
            assert self.server is not None
            self.server.stop_at_once()
            time.sleep(self.rng.uniform(0.0, 1.0))
            self.server.start()
        elif whom == "supervisor":
            self.node.process.send_signal(signal.SIGKILL)
            self.node.process.wait()
            self.node.process = start(self.node.config, self.node.log)
        else:
            wait_for(lambda: self._kill(whom), timeout_s=60, what=f"a {whom} to kill")

    def _kill(self, whom: str) -> bool:
        below = {"receiver": "node", "sandbox": "worker"}
        role = self.node.children().get(below.get(whom, whom))
        if role is None:
            return False
        # There is no sandbox before the first object is read.
        victims = (children_of(role) if whom in below else []) or [role]
        try:
            os.kill(self.rng.choice(victims), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


class Reviewer(Physician):
    """Notes every stroke that the page said it had kept."""

    def __init__(self, url: str) -> None:
        super().__init__(url, USERNAME, PASSWORD)
        self.kept: dict[tuple[str, int], Any] = {}

    def post_json(self, path: str, body: dict[str, Any]) -> Any:
        answer = super().post_json(path, body)
        if path.endswith("/journal"):
            self.kept[path.split("/")[-2], body["seq"]] = body["runs"]
        return answer


def push(patients: Sequence[SyntheticPatient], assassin: Assassin) -> None:
    """Send each patient until all of it was answered with Success, as a TPS's queue does.

    One after the other, so that there is work as long as the assassin is about.
    """
    peer = parse_peer(f"RECONTOUR@127.0.0.1:{assassin.node.settings.dicom.port}")
    for number, patient in enumerate(patients):
        while len(assassin.killed) < number * len(assassin.turns) // len(patients):
            time.sleep(0.2)

        def accepted(paths: tuple[Path, ...] = (*patient.ct_paths, patient.dose_path)) -> bool:
            try:
                return bool(send_instances(paths, peer, calling_ae_title="TPS"))
            except DeliveryError:
                return False

        wait_for(accepted, timeout_s=PATIENCE_S, what="a patient to be accepted")


def review(reviewer: Reviewer, wanted: Mapping[str, Mask]) -> None:
    """Correct and approve what the worklist shows until the patients in `wanted` are approved."""

    def all_approved() -> bool:
        rows = _worklist(reviewer)
        for row in rows:
            if row["reviewable"]:
                _correct_once_whole(reviewer, row["id"], wanted[row["patient"]["id"]])
        return len(rows) == len(wanted) and {row["state"] for row in rows} <= FINISHED

    def logged_in_again() -> bool:
        reviewer.log_in()
        return True

    deadline = time.monotonic() + PATIENCE_S + 20.0 * len(wanted)
    while time.monotonic() < deadline:
        try:
            if all_approved():
                return
        except PageError:
            wait_for(logged_in_again, timeout_s=PATIENCE_S, what="the review page")
        time.sleep(0.3)
    raise PageError("Not all cases could be approved in time.")


def _correct_once_whole(reviewer: Reviewer, case_id: str, wanted: Mask) -> None:
    # The receiver may have died in the middle of a series.
    dims = reviewer.get_json(f"/api/cases/{case_id}")["dims"]
    if dims == list(reversed(wanted.shape)):
        reviewer.correct(case_id, wanted)


def _worklist(reviewer: Reviewer) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = pages = 0
    while page <= pages:
        page += 1
        found = reviewer.get_json(f"/api/worklist?page={page}")
        rows += found["cases"]
        pages = found["pages"] - 1
    return rows
