"""Everything dies at any moment, again and again: each thing happens exactly once in effect.

`make chaos` kills a hundred times while thirty cases go round, on either database.
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from app.clinic import hand_drawn, listening_tps, wait_for
from app.clinic_dicom import write_patient
from app.room import Room
from core.store import open_store
from tests.support.chaos import PATIENCE_S, Assassin, FlakyTps, Reviewer, push, review
from tests.support.exactly_once import at_rest, require_exactly_once
from tests.support.node import running_node
from tests.support.postgresql import postgresql_server
from tests.support.settings import free_port, small_model

KILLS = int(os.environ.get("RECONTOUR_CHAOS_KILLS", "13"))
CASES = int(os.environ.get("RECONTOUR_CHAOS_CASES", "4"))
TRAINING = {
    "steps_first": 20,
    "steps_per_case": 2,
    "steps_longest": 40,
    "validate_every": 10,
    "rounds_without_progress": 1,
    "challenger_steps": 0,
}


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_whatever_dies_each_thing_happens_once(tmp_path: Path, database: str) -> None:
    rng = np.random.default_rng(5)
    seeds = range(21, 21 + CASES)
    patients = [write_patient(tmp_path / f"p{n}", n, spacing_mm=(10.0, 10.0, 10.0)) for n in seeds]
    drawn = [hand_drawn(patient.phantom.heart, rng) for patient in patients]
    wanted = {f"PHANTOM-{n:04d}": mask for n, mask in zip(seeds, drawn, strict=True)}
    tps = FlakyTps(tmp_path / "tps")
    tps_port = free_port()
    with ExitStack() as stack:
        server = stack.enter_context(postgresql_server()) if database == "postgresql" else None
        layout = {
            "database_url": "" if server is None else server.url,
            "dicom": {"port": free_port(), "quiet_time_s": 3.0, "receivers": 2},
            "training": TRAINING,
            "model": small_model(12.0),
        }
        stack.enter_context(listening_tps(tps, ae_title="TPS", port=tps_port))
        node = stack.enter_context(running_node(tmp_path, tps_port, **layout))
        assassin = Assassin(node, server, kills=KILLS, seed=7)
        assassin.start()
        sender = threading.Thread(target=push, args=(patients, assassin), daemon=True)
        sender.start()
        reviewer = Reviewer(node.url)
        review(reviewer, wanted)
        for thread in (assassin, sender):
            thread.join(timeout=PATIENCE_S + 5.0 * KILLS)
            assert not thread.is_alive()
        assert len(assassin.killed) == KILLS
        store = open_store(node.settings)
        resting = lambda: at_rest(store, CASES)  # noqa: E731
        wait_for(resting, timeout_s=PATIENCE_S, what="all to be delivered and learned")
        require_exactly_once(Room(node.settings, store), patients, wanted, reviewer, tps)
        store.engine.dispose()
