"""Several machines: a receiver and a worker are lost in the middle, and each thing happens once."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from app.clinic import hand_drawn, listening_tps, wait_for
from app.clinic_dicom import write_patient
from app.room import Room
from core.store import Store, open_store
from tests.support.chaos import PATIENCE_S, FlakyTps, Reviewer, review
from tests.support.cluster import running_cluster
from tests.support.exactly_once import at_rest, require_exactly_once
from tests.support.node import children_of
from tests.support.postgresql import postgresql_server
from tests.support.settings import free_port, small_model

SEEDS = (21, 22, 23)
TRAINING = {
    "steps_first": 20,
    "steps_per_case": 2,
    "validate_every": 10,
    "rounds_without_progress": 1,
    "challenger_steps": 0,
}


WORKERS_ALIVE = "select count(*) from pg_locks where locktype = 'advisory' and classid = 7401"
# But for the lock of DBOS's background jobs: of one that is frozen it lets go by itself.
IN_TRANSACTION = (
    "select count(*) from pg_stat_activity where state = 'idle in transaction' "
    "and query not like '%pg_try_advisory_xact_lock%'"
)
TAKEN = "select workflow_uuid from dbos.workflow_status where status = 'PENDING'"


def ask(store: Store, question: str, **values: str) -> Any:
    with store.engine.connect() as connection:
        return connection.scalar(sa.text(question), values)


def hold_still(process: int, store: Store) -> None:
    """Stop a worker between two transactions: it takes nothing, but is not dead."""

    def still() -> bool:
        os.kill(process, signal.SIGSTOP)
        for _ in range(20):  # what others have begun ends meanwhile
            if ask(store, IN_TRANSACTION) == 0:
                return True
            time.sleep(0.02)  # the process stands: nothing of it can say when they are done
        os.kill(process, signal.SIGCONT)
        return False

    wait_for(still, timeout_s=PATIENCE_S, what="a worker to stand still")


def stopped_at_work(process: int, store: Store) -> str:
    """Stop a worker that has taken a piece of work and not ended it; the id of the work."""

    def taken() -> Any:
        if ask(store, TAKEN) is None:
            return None
        os.kill(process, signal.SIGSTOP)
        work = ask(store, TAKEN)
        if work is None:  # it ended in between
            os.kill(process, signal.SIGCONT)
        return work

    found = wait_for(taken, timeout_s=PATIENCE_S, what="work to be taken", every_s=0.005)
    return str(found)


@pytest.mark.slow
def test_a_receiver_and_a_worker_are_lost_and_the_others_take_over(tmp_path: Path) -> None:
    rng, tps_port = np.random.default_rng(5), free_port()
    patients = [write_patient(tmp_path / f"p{n}", n, spacing_mm=(10.0, 10.0, 10.0)) for n in SEEDS]
    drawn = [hand_drawn(patient.phantom.heart, rng) for patient in patients]
    wanted = {f"PHANTOM-{n:04d}": mask for n, mask in zip(SEEDS, drawn, strict=True)}
    tps = FlakyTps(tmp_path / "tps")
    with (
        postgresql_server() as server,
        listening_tps(tps, ae_title="TPS", port=tps_port),
        running_cluster(
            tmp_path,
            server.url,
            tps_port,
            dicom={"port": free_port(), "quiet_time_s": 2.0},
            training=TRAINING,
            model=small_model(12.0),
        ) as cluster,
    ):
        store = open_store(cluster.settings)
        alive = lambda: ask(store, WORKERS_ALIVE) == 2  # noqa: E731
        wait_for(alive, timeout_s=120, what="two workers")
        other = cluster.process_of("worker-2")
        assert other is not None
        hold_still(other, store)
        cluster.push(patients[0])

        def push_the_rest() -> None:
            for patient in patients[1:]:
                cluster.push(patient)

        sender = threading.Thread(target=push_the_rest)
        sender.start()
        before = len(patients[0].ct_paths) + 1
        arriving = lambda: len(store.instances.paths()) > before + 5  # noqa: E731
        wait_for(arriving, timeout_s=60, what="the second patient", every_s=0.005)
        cluster.lose("receiver-1")
        at_work = cluster.process_of("worker-1")
        assert at_work is not None
        work = stopped_at_work(at_work, store)
        cluster.lose("worker-1")
        os.kill(other, signal.SIGCONT)
        sender.join(timeout=PATIENCE_S)
        reviewer = Reviewer(cluster.url)
        review(reviewer, wanted)
        resting = lambda: at_rest(store, len(SEEDS))  # noqa: E731
        wait_for(resting, timeout_s=PATIENCE_S, what="all to be delivered and learned")
        require_exactly_once(Room(cluster.settings, store), patients, wanted, reviewer, tps)
        status = "select status from dbos.workflow_status where workflow_uuid = :work"
        assert ask(store, status, work=work) == "SUCCESS"
        # Gone for good, and nothing was left of them.
        assert cluster.process_of("receiver-1") is None
        assert cluster.process_of("worker-1") is None
        assert children_of(cluster.machines["worker-2"].pid)
        store.engine.dispose()
