"""A node that an earlier revision left in the middle of its work goes on under this one.

`tests/flow/earlier` holds the data folders of two nodes of synthetic patients, one on SQLite, the
other on PostgreSQL. They ran with the revision of 28 November 2026 (tables 0002) and were killed.
Of five cases two were delivered, one was approved while nobody listened, one was half painted, the
CT of one was being assembled; a model was in service.
"""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.clinic import Tps, running_tps, wait_for
from app.keeping.verifying import checks
from app.room import Room
from core.approval import base_mask, replayed
from core.case import CaseState
from core.config import load_settings
from core.geometry import Mask
from core.health import examine
from core.store import Store, open_store
from model.registry import load
from tests.support.node import RunningNode, node_config, start
from tests.support.postgresql import Server, postgresql_server
from tests.support.settings import free_port, small_model

EARLIER = Path(__file__).parent / "earlier"
FIRST, WAITING, HALF, THIRD, ARRIVING = (f"PHANTOM-{number:04d}" for number in range(21, 26))
PENDING = "select workflow_uuid from {}workflow_status where status = 'PENDING'"
STATUS = "select status from {}workflow_status where workflow_uuid = :work"
TRAINING = {"steps_first": 20, "steps_per_case": 2, "challenger_steps": 0}


@dataclass
class Earlier:
    """The node as it was left, its queue, and a TPS where it sends to."""

    config: Path
    queue: sa.Engine
    schema: str
    tps: Tps

    def ask(self, question: str, **values: str) -> list[str]:
        with self.queue.connect() as connection:
            found = connection.execute(sa.text(question.format(self.schema)), values)
            return [str(value) for value in found.scalars()]

    def ended(self, works: list[str]) -> set[str]:
        return {status for work in works for status in self.ask(STATUS, work=work)}


@pytest.fixture(params=["sqlite", "postgresql"])
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Earlier]:
    with tarfile.open(EARLIER / f"{request.param}.tar.xz") as kept:
        kept.extractall(tmp_path, filter="data")
    tps_port = free_port()
    with ExitStack() as stack:
        tps = stack.enter_context(running_tps(tmp_path / "tps", ae_title="TPS", port=tps_port))
        url, queue, schema = "", f"sqlite:///{tmp_path / 'data' / 'jobs.db'}", ""
        if request.param == "postgresql":
            server = stack.enter_context(postgresql_server())
            _restore(server, tmp_path / "data" / "database.sql")
            url, queue, schema = server.url, server.url, "dbos."
        config = node_config(
            tmp_path, tps_port, database_url=url, training=TRAINING, model=small_model(12.0)
        )
        engine = sa.create_engine(queue)
        yield Earlier(config, engine, schema, tps)
        engine.dispose()


def _restore(server: Server, dump: Path) -> None:
    connect = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "node", "-q", "-d", "recontour"]
    with dump.open() as sql:
        subprocess.run(
            [str(server.programs / "psql"), *connect], stdin=sql, check=True, capture_output=True
        )


def by_patient(store: Store) -> dict[str, str]:
    return {case.patient_id: case.id for case in store.cases.all()}


def painted_on(store: Store, case_id: str) -> Mask:
    """What is shown of a case by now, and a little more."""
    case = store.cases.get(case_id)
    (prediction_id, *_) = store.teaching.predictions(case_id)[::-1]
    base = base_mask(store, case, "Heart")[1]
    if base is None:  # nobody has opened it
        base = store.files.read_mask(case_id, f"prediction-{prediction_id}")
    shown = replayed(store, case, "Heart").corrected(base)
    middle = tuple(slice(n // 2 - 2, n // 2 + 2) for n in shown.shape)
    shown[middle] = True
    return shown


@pytest.mark.slow
def test_what_an_earlier_revision_left_goes_on(earlier: Earlier, tmp_path: Path) -> None:
    settings = load_settings(earlier.config)
    assert examine(settings.resolved_database_url()).revision == "0002"
    in_the_middle = earlier.ask(PENDING)
    assert any(work.startswith("assemble-") for work in in_the_middle)
    log = tmp_path / "node.log"
    node = RunningNode(settings, earlier.config, log, start(earlier.config, log))
    try:
        anna = node.physician()  # with the password she had
        store = open_store(settings)
        cases = by_patient(store)

        # What was being assembled is assembled, predicted, reviewed; what was half painted goes on.
        for patient in (HALF, ARRIVING):
            case_id = cases[patient]
            ready = lambda case_id=case_id: anna.get_json(f"/api/cases/{case_id}")["prediction"]  # noqa: E731
            wait_for(ready, timeout_s=90, what="a prediction")
            before = store.reviews.entries(case_id, "Heart")
            assert len(before) == (3 if patient == HALF else 0)
            anna.correct(case_id, painted_on(store, case_id))
            assert store.reviews.entries(case_id, "Heart")[: len(before)] == before
        delivered = lambda: len(store.cases.all(states={CaseState.DELIVERED})) == 5  # noqa: E731
        wait_for(delivered, timeout_s=90, what="all to be delivered")

        # What had been delivered is not sent again; the others once each.
        sent = {
            patient: store.deliveries.all(case_id=case_id)[0].sop_instance_uid
            for patient, case_id in cases.items()
        }
        new = {sent[patient] for patient in (WAITING, HALF, ARRIVING)}
        assert set(earlier.tps.received) == new
        assert set(earlier.tps.times_received.values()) == {1}
        done = lambda: earlier.ended(in_the_middle) == {"SUCCESS"}  # noqa: E731
        wait_for(done, timeout_s=60, what="the work that was in the middle")

        # It learns from old and new, and every file is as it was written.
        learned = lambda: [  # noqa: E731
            one
            for one in store.learning.rounds("Heart", newest=1, finished=True)
            if len(one.corrections) == len(store.learning.learning_set("Heart").ids()) >= 4
        ]
        wait_for(learned, timeout_s=90, what="a round with all of them")
        room = Room(settings, store)
        for version in store.learning.versions("Heart"):
            load(room.models_folder, version.version)
        assert [said for wrong in checks(room) if (said := wrong())] == []
        found = examine(settings.resolved_database_url())
        assert (found.revision, found.damage) == (found.newest, "")
        store.engine.dispose()
    finally:
        node.process.terminate()
        node.process.wait(timeout=30)
