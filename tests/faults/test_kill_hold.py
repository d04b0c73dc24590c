"""kill -9 while an approved structure set is held: it leaves once, or was undone for good."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from app.clinic import hand_drawn, running_tps, wait_for
from app.clinic_dicom import write_patient
from core.case import CaseState
from core.store import open_store
from core.tables import delivery
from tests.faults.test_kill import correct_until_approved, push_until_accepted
from tests.support.node import RunningNode, running_node
from tests.support.settings import free_port, small_model

LONG_S = 600


def kill_all(node: RunningNode) -> None:
    """Kill every process but the supervisor, and wait until all are there again."""
    before = node.children()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        now = node.children()
        return len(now) == len(before) and not set(now.values()) & set(before.values())

    wait_for(back, timeout_s=120, what="the processes to come back")


@pytest.mark.slow
def test_a_hold_outlives_every_process_and_an_undo_too(tmp_path: Path) -> None:
    tps_port = free_port()
    patients = [
        write_patient(tmp_path / f"p{seed}", seed, spacing_mm=(6.0, 6.0, 6.0)) for seed in (21, 22)
    ]
    rng = np.random.default_rng(5)
    wanted = {p.series_instance_uid: hand_drawn(p.phantom.heart, rng) for p in patients}
    changes = {"review": {"port": free_port(), "hold_s": LONG_S}, "model": small_model(8.0)}
    with (
        running_tps(tmp_path / "tps", ae_title="TPS", port=tps_port) as tps,
        running_node(tmp_path, tps_port, **changes) as node,
    ):
        store = open_store(node.settings)
        for patient in patients:
            push_until_accepted(node, patient)
        assembled = lambda: len(store.cases.all(states={CaseState.ASSEMBLED})) == 2  # noqa: E731
        wait_for(assembled, timeout_s=120, what="two cases")
        undone, sent = store.cases.all()
        for case in (undone, sent):
            correct_until_approved(node, case.id, wanted[case.series_instance_uid])
        journal = store.reviews.entries(undone.id, "Heart")
        kill_all(node)
        assert {c.state for c in store.cases.all()} == {CaseState.APPROVED}

        node.physician().post_json(
            f"/api/cases/{undone.id}/take-back", {"tab": "0" * 32, "roi": "Heart"}
        )
        kill_all(node)
        # The time of the other one has come.
        with store.engine.begin() as connection:
            connection.execute(sa.update(delivery).values(next_try_at=datetime.now(UTC)))
        delivered = lambda: store.cases.get(sent.id).state is CaseState.DELIVERED  # noqa: E731
        wait_for(delivered, timeout_s=300, what="the delivery")

        assert [d.case_id for d in store.deliveries.all()] == [sent.id]
        assert len(tps.received) == 1
        assert store.cases.get(undone.id).state is CaseState.IN_REVIEW
        assert store.reviews.correction_of(undone.id, "Heart") is None
        assert store.reviews.entries(undone.id, "Heart") == journal
        store.engine.dispose()
