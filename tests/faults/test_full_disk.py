"""A full disk: what is new is refused with its status, nothing is harmed, and all goes on after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from app.clinic import PageError, Physician, hand_drawn, running_tps, wait_for
from app.clinic_dicom import write_patient
from app.keeping.verifying import checks
from app.peer import parse_peer
from app.room import Room
from core.case import CaseState
from core.errors import DeliveryError
from core.geometry import Mask
from core.health import examine
from core.journal import encode_runs
from core.store import open_store
from dicom_node.network.scu import echo, send_instances
from tests.faults.test_chaos import TRAINING
from tests.support.node import RunningNode, running_node
from tests.support.settings import free_port, small_model
from tests.support.small_disk import small_disk

RESERVE_MB, SIZE_MB = 20, 80
MOST_STROKES, TAB = 2000, "0" * 32


def send(node: RunningNode, paths: Sequence[Path]) -> None:
    peer = parse_peer(f"RECONTOUR@127.0.0.1:{node.settings.dicom.port}")
    send_instances(list(paths), peer, calling_ae_title="TPS")


def paint_until_refused(physician: Physician, case_id: str, mask: Mask) -> int:
    """How many strokes were kept until the page said that the disk is full."""
    stroke = {"tab": TAB, "kind": "stroke", "tool": "add", "plane": "axial", "radius_mm": 10.0}
    runs = encode_runs(np.flatnonzero(mask))
    at = f"/api/cases/{case_id}/journal"
    for seq in range(1, MOST_STROKES):
        try:
            physician.post_json(at, {**stroke, "seq": seq, "slice": 0, "runs": runs})
        except PageError as error:
            assert "507" in str(error)  # noqa: PT017
            return seq - 1
    raise AssertionError("The disk was never full.")


@pytest.mark.slow
def test_a_full_disk_refuses_harms_nothing_and_is_got_over(tmp_path: Path) -> None:
    rng, tps_port = np.random.default_rng(5), free_port()
    one, other = (
        write_patient(tmp_path / f"p{n}", n, spacing_mm=(10.0, 10.0, 10.0)) for n in (21, 22)
    )
    wanted = [hand_drawn(patient.phantom.heart, rng) for patient in (one, other)]
    with (
        small_disk(tmp_path / "data", size_mb=SIZE_MB) as disk,
        running_tps(tmp_path / "tps", ae_title="TPS", port=tps_port) as tps,
        running_node(
            tmp_path,
            tps_port,
            disk_reserve_mb=RESERVE_MB,
            dicom={"port": free_port(), "quiet_time_s": 0.5},
            training=TRAINING,
            model=small_model(12.0),
        ) as node,
    ):
        store = open_store(node.settings)
        for patient in (one, other):
            send(node, [*patient.ct_paths, patient.dose_path])
        assembled = lambda: len(store.cases.all(states={CaseState.ASSEMBLED})) == 2  # noqa: E731
        wait_for(assembled, timeout_s=60, what="two cases")
        first, second = sorted(store.cases.all(), key=lambda case: case.patient_id)
        anna = node.physician()

        # The reserve is reached: nothing new comes in, what is here is finished.
        disk.fill(leave_mb=RESERVE_MB - 5)
        with pytest.raises(DeliveryError, match="0xA700"):
            send(node, other.ct_paths)
        assert "disk" in anna.get_json("/api/status")["disk"]
        assert b'role="alert"' in anna.get("/")
        anna.correct(first.id, wanted[0])
        delivered = lambda: store.cases.get(first.id).state is CaseState.DELIVERED  # noqa: E731
        wait_for(delivered, timeout_s=60, what="the delivery")

        # Not a byte is left.
        anna.post_json(f"/api/cases/{second.id}/open", {"tab": TAB})
        disk.fill()
        with pytest.raises(DeliveryError, match="0xA700"):
            send(node, other.ct_paths)
        echo(parse_peer(f"RECONTOUR@127.0.0.1:{node.settings.dicom.port}"), calling_ae_title="TPS")
        kept = paint_until_refused(anna, second.id, wanted[1])
        before = node.children()

        disk.free()
        assert anna.get_json("/api/status")["disk"] == ""
        send(node, [*other.ct_paths, other.dose_path])
        assert store.reviews.last_seq(second.id, "Heart") == kept
        anna.correct(second.id, wanted[1])
        both = lambda: len(store.cases.all(states={CaseState.DELIVERED})) == 2  # noqa: E731
        wait_for(both, timeout_s=60, what="the other delivery")
        assert len(tps.received) == 2
        assert node.children() == before
        learned = lambda: store.learning.rounds("Heart", newest=1, finished=True)  # noqa: E731
        wait_for(learned, timeout_s=60, what="a round")
        assert [said for wrong in checks(Room(node.settings, store)) if (said := wrong())] == []
        assert examine(node.settings.resolved_database_url()).damage == ""
        assert not list((node.settings.data_folder / "instances").rglob("*.part"))
        store.engine.dispose()
