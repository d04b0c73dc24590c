"""50 associations and 20 reviewers at once, while predictions run: errors, and how long pages take.

    python -m benchmarks.load

A node as `recontour run` starts it, with two receivers. 50 of DCMTK's storescu send to it, each
over one association series of 6 slices of 512 x 512, until the reviewers are done. 20 reviewers are
logged in with a case open each: like the page they ask for the worklist every 2 s, send what was
done every 5 s, and turn to another page every 4 s. Meanwhile the worker predicts scans of a thorax,
one after the other. Senders and reviewers take their share of the same machine. The last line is
JSON.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from app.clinic import PageError, Physician, wait_for
from app.clinic_dicom import write_patient
from app.room import Room
from core.config import Settings, load_settings
from core.database import reading
from core.geometry import VolumeGeometry
from core.store import Store, open_store
from core.tables import instance
from core.volume import Volume
from review_ui import create_app
from review_ui.accounts import create_user
from tests.support.node import PASSWORD, RunningNode, node_config, start, wait_until_it_answers
from tests.support.review_case import put_case, put_prediction
from tests.support.room import bring_up_to_date, receive
from tests.support.settings import free_port
from tests.support.synthetic_dicom import ct_series
from tests.support.versions import put_real

ASSOCIATIONS, REVIEWERS, SCANS = 50, 20, 12
SECONDS = 60.0
SLICES, SIZE = 6, 512
SPACING_MM = (3.0, 2.0, 2.0)
PAGES = ("/", "/status", "/deliveries/", "/work", "/cases/{case_id}")
EVERY_S = {"worklist": 2.0, "events": 5.0, "page": 4.0}
PAGE_P95_MS = 300.0


def main() -> int:
    """Run it, print the figures and the verdict; 0 when it holds."""
    with tempfile.TemporaryDirectory(prefix="load-") as name:
        folder = Path(name)
        config = _config(folder)
        settings = load_settings(config)
        cases, scans = _prepared(settings, folder / "scans")
        log = folder / "node.log"
        node = RunningNode(settings, config, log, start(config, log))
        try:
            wait_until_it_answers(node)
            found = _under_load(node, cases, scans)
        finally:
            node.process.terminate()
            node.process.wait(timeout=60)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["holds"] else 1


def _config(folder: Path) -> Path:
    dicom = {
        "port": free_port(),
        "quiet_time_s": 600,
        "receivers": 2,
        "maximum_associations": ASSOCIATIONS,
        "maximum_associations_per_address": ASSOCIATIONS,
    }
    return node_config(
        folder, free_port(), dicom=dicom, review={"port": free_port(), "threads": 32}
    )


def _prepared(settings: Settings, folder: Path) -> tuple[list[str], list[str]]:
    """A small case for each reviewer, scans to predict, accounts, a model; ids of both."""
    store = open_store(settings)
    app = create_app(settings, store)
    for number in range(REVIEWERS):
        create_user(app, f"reviewer{number}", PASSWORD, "physician")
    rng = np.random.default_rng(3)
    room = Room(settings, store)
    version = put_real(room, 1)
    cases = [put_case(store, _scan((20, 64, 64), rng)) for _ in range(REVIEWERS)]
    for case_id in cases:
        put_prediction(store, case_id, np.ones((20, 64, 64), bool), version=version)
    for number in range(SCANS):
        patient = write_patient(folder / f"{number}", 100 + number, spacing_mm=SPACING_MM)
        receive(room, list(patient.ct_paths))
    bring_up_to_date(room)
    scans = [case.id for case in store.cases.all() if case.id not in cases]
    store.engine.dispose()
    return cases, scans


def _scan(shape: tuple[int, int, int], rng: np.random.Generator) -> Volume:
    frame = f"2.25.{rng.integers(1 << 60)}"
    geometry = VolumeGeometry(shape, (0.0, 0.0, 0.0), (3.0, 0.98, 0.98), frame)
    return Volume(rng.integers(-200, 200, shape, np.int16), geometry)


def _under_load(node: RunningNode, cases: list[str], scans: list[str]) -> dict[str, Any]:
    store = open_store(node.settings)
    reviewers = [_Reviewer(node.url, number, case) for number, case in enumerate(cases)]
    for reviewer in reviewers:
        reviewer.arrive()
    folder = node.settings.data_folder.parent / "senders"
    folder.mkdir()
    known = _kept(store)[1]
    senders = _Senders(folder, node.settings.dicom.port)
    wait_for(
        lambda: _kept(store)[1] >= known + ASSOCIATIONS,
        timeout_s=120,
        what="something of every association",
    )
    begun, before, kept = time.monotonic(), _predicted(store, scans), _kept(store)[0]
    for reviewer in reviewers:
        reviewer.start()
    for reviewer in reviewers:
        reviewer.join()
    seconds, predicted = time.monotonic() - begun, _predicted(store, scans)
    sent, send_errors = _kept(store)[0] - kept, senders.end()
    store.engine.dispose()
    took = {kind: [ms for r in reviewers for ms in r.took_ms[kind]] for kind in EVERY_S}
    page_errors = [error for reviewer in reviewers for error in reviewer.errors]
    found: dict[str, Any] = {f"{kind}_p95_ms": _p95(values) for kind, values in took.items()}
    found |= {
        "page_median_ms": round(statistics.median(took["page"]), 1),
        "pages": len(took["page"]),
        "associations": ASSOCIATIONS,
        "instances_per_s": round(sent / seconds, 1),
        "errors": len(page_errors) + len(send_errors),
        "predicted": predicted - before,
        "still_to_predict": SCANS - predicted,
    }
    for error in [*page_errors, *send_errors][:5]:
        sys.stdout.write(f"{error}\n")
    found["holds"] = (
        found["errors"] == 0
        and found["page_p95_ms"] < PAGE_P95_MS
        and found["predicted"] > 0
        and found["still_to_predict"] > 0
    )
    return found


def _predicted(store: Store, scans: list[str]) -> int:
    return sum(bool(store.teaching.predictions(case_id)) for case_id in scans)


def _p95(values: list[float]) -> float:
    return round(float(np.percentile(values, 95)), 1)


class _Reviewer(threading.Thread):
    """An open tab: what it asks for, when, and how long the answers took."""

    def __init__(self, url: str, number: int, case_id: str) -> None:
        super().__init__()
        self._page = Physician(url, f"reviewer{number}", PASSWORD)
        self._case_id = case_id
        self._rng = random.Random(number)  # noqa: S311 (no secret)
        self.took_ms: dict[str, list[float]] = {kind: [] for kind in EVERY_S}
        self.errors: list[str] = []

    def arrive(self) -> None:
        """Log in, as soon as the page is there, and take the case."""

        def logged_in() -> bool:
            self._page.log_in()
            return True

        wait_for(logged_in, timeout_s=120, what="the review page")
        self._page.post_json(f"/api/cases/{self._case_id}/open", {"tab": "0" * 32})

    def run(self) -> None:
        """Go on for `SECONDS`."""
        begun = time.monotonic()
        due = {kind: begun + self._rng.uniform(0, every) for kind, every in EVERY_S.items()}
        while (next_one := min(due, key=lambda kind: due[kind])) and due[
            next_one
        ] < begun + SECONDS:
            time.sleep(max(0.0, due[next_one] - time.monotonic()))
            due[next_one] += EVERY_S[next_one]
            asked = time.perf_counter()
            try:
                self._ask(next_one)
            except PageError as error:
                self.errors.append(str(error))
            self.took_ms[next_one].append((time.perf_counter() - asked) * 1e3)

    def _ask(self, kind: str) -> None:
        if kind == "worklist":
            self._page.get("/api/worklist")
        elif kind == "page":
            self._page.get(self._rng.choice(PAGES).format(case_id=self._case_id))
        else:
            done = {"at": datetime.now(UTC).isoformat(), "kind": "slice", "detail": {}}
            self._page.post_json(f"/api/cases/{self._case_id}/events", {"events": [done] * 20})


class _Senders:
    """DCMTK's storescu, a process for each association; each sends new series until it is ended."""

    def __init__(self, folder: Path, port: int) -> None:
        slice_ = folder / "slice.dcm"
        (ct,) = ct_series(shape=(1, SIZE, SIZE), hu=lambda x, _y, _z: 0 * x)
        ct.save_as(slice_, enforce_file_format=True)
        self._logs = [folder / f"{number}.txt" for number in range(ASSOCIATIONS)]
        options = ["-aet", "TPS", "-aec", "RECONTOUR", "--repeat", str(10**6)]
        new = ["--invent-instance", "--invent-series", str(SLICES)]
        command = ["storescu", *options, *new, "127.0.0.1", str(port), str(slice_)]
        self._processes = []
        for log in self._logs:
            with log.open("wb") as file:
                self._processes.append(
                    subprocess.Popen(  # noqa: S603 (DCMTK's client)
                        command,
                        stdout=file,
                        stderr=subprocess.STDOUT,
                        env={**os.environ, "TCP_NODELAY": "1"},
                    )
                )

    def end(self) -> list[str]:
        """End them; what went wrong before."""
        errors = [
            f"storescu ended with {process.poll()}"
            for process in self._processes
            if process.poll() is not None
        ]
        for process in self._processes:
            process.terminate()
            process.wait()
        for log in self._logs:
            errors += [line for line in log.read_text().splitlines() if line[:2] in {"E:", "F:"}]
        return errors


def _kept(store: Store) -> tuple[int, int]:
    """How many instances of how many series are kept."""
    query = sa.select(
        sa.func.count(), sa.func.count(sa.distinct(instance.c.series_instance_uid))
    ).select_from(instance)
    with reading(store.engine) as connection:
        instances, series = connection.execute(query).one()
    return instances, series


if __name__ == "__main__":
    sys.exit(main())
