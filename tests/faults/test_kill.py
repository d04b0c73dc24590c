"""kill -9 at any moment: nothing is lost, nothing happens twice."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from app.clinic import Physician, hand_drawn, running_tps, wait_for
from app.clinic_dicom import SyntheticPatient, write_patient
from app.peer import parse_peer
from core.case import CaseState
from core.errors import DeliveryError
from core.geometry import Mask
from core.journal import mask_crc32
from core.rasterise import mask_of_contours
from core.store import open_store
from dicom_node.network.scu import send_instances
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.support.node import PASSWORD, USERNAME, RunningNode, running_node, start
from tests.support.settings import free_port, small_model

KILLS = 10
SEEDS = (21, 22, 23)
ROLES = ("node", "worker", "trainer", "review", "supervisor")
TRAINING = {"steps_first": 40, "steps_per_case": 5, "validate_every": 20}
FINISHED = {CaseState.APPROVED, CaseState.DELIVERED}


class Assassin(threading.Thread):
    """Kills a random process of the node every few seconds; every role gets its turn twice."""

    def __init__(self, node: RunningNode, rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.node = node
        self.rng = rng
        self.killed: list[str] = []

    def run(self) -> None:
        turns = list(ROLES) * (KILLS // len(ROLES))
        self.rng.shuffle(turns)
        for role in turns:
            time.sleep(self.rng.uniform(0.8, 3.5))
            self.kill(role)

    def kill(self, role: str) -> None:
        if role == "supervisor":
            self.node.process.send_signal(signal.SIGKILL)
            self.node.process.wait()
            self.node.process = start(self.node.config, self.node.log)
        else:
            wait_for(lambda: role in self.node.children(), timeout_s=60, what=f"a {role} to kill")
            os.kill(self.node.children()[role], signal.SIGKILL)
        self.killed.append(role)


def push_until_accepted(node: RunningNode, patient: SyntheticPatient) -> None:
    """Send every instance until it was answered with Success, as a TPS's queue does."""
    peer = parse_peer(f"RECONTOUR@127.0.0.1:{node.settings.dicom.port}")
    for path in [*patient.ct_paths, patient.dose_path]:

        def accepted(path: Path = path) -> bool:
            try:
                return bool(send_instances([path], peer, calling_ae_title="TPS"))
            except DeliveryError:
                return False

        wait_for(accepted, timeout_s=120, what="an instance to be accepted")


def correct_until_approved(node: RunningNode, case_id: str, wanted: Mask) -> None:
    """Correct and approve; when the page goes away in between, log in and go on."""

    def approved() -> bool:
        physician = Physician(node.url, USERNAME, PASSWORD)
        physician.log_in()
        if physician.get_json(f"/api/cases/{case_id}")["state"] in FINISHED:
            return True
        physician.correct(case_id, wanted)
        return True

    wait_for(approved, timeout_s=180, what="an approval")


@pytest.mark.slow
def test_ten_random_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    tps_port = free_port()
    patients = [
        write_patient(tmp_path / f"p{seed}", seed, spacing_mm=(6.0, 6.0, 6.0)) for seed in SEEDS
    ]
    wanted = {p.series_instance_uid: hand_drawn(p.phantom.heart, rng) for p in patients}
    model = small_model(8.0)
    with (
        running_tps(tmp_path / "tps", ae_title="TPS", port=tps_port) as tps,
        running_node(tmp_path, tps_port, training=TRAINING, model=model) as node,
    ):
        store = open_store(node.settings)
        assassin = Assassin(node, random.Random(7))
        assassin.start()
        for patient in patients:
            push_until_accepted(node, patient)
        wait_for(
            lambda: len(store.cases.all(states={CaseState.ASSEMBLED, CaseState.PREDICTED})) == 3,
            timeout_s=120,
            what="three cases",
        )
        for case in store.cases.all():
            correct_until_approved(node, case.id, wanted[case.series_instance_uid])
        assassin.join(timeout=120)
        assert len(assassin.killed) == KILLS
        wait_for(
            lambda: len(store.cases.all(states={CaseState.DELIVERED})) == 3,
            timeout_s=120,
            what="three deliveries",
        )
        released = lambda: store.learning.released("Heart")  # noqa: E731
        wait_for(released, timeout_s=120, what="a model")

        # Every instance once, every file whole.
        for patient in patients:
            kept = store.instances.of_series(patient.series_instance_uid)
            assert len(kept) == len(patient.ct_paths)
            assert store.instances.kept_aside_count(kept[0].header.study_instance_uid) == 0
        # Every correction once, as it was painted; every delivery once, as it was approved.
        known = store.learning.learning_set("Heart")
        assert len(known.ids()) == len(set(known.ids())) == 3
        for case in store.cases.all():
            approved = store.reviews.correction_of(case.id, "Heart")
            assert approved is not None
            mask = store.files.read_mask(
                case.id, f"correction-{approved.id}", digest=approved.mask_digest
            )
            assert mask_crc32(mask) == mask_crc32(wanted[case.series_instance_uid])
            (delivery,) = store.deliveries.all(case_id=case.id)
            assert delivery.state == "SENT"
            roi = read_structure_set(tps.received[str(delivery.sop_instance_uid)]).roi_named(
                "Heart"
            )
            assert roi is not None
            assert case.geometry is not None
            back = mask_of_contours([c.points_mm for c in roi.contours], case.geometry)
            assert np.array_equal(back.mask, mask)
        assert len(tps.received) == 3
        with store.engine.connect() as connection:
            approvals = connection.scalar(
                sa.text("select count(*) from audit where event = 'case.approved'")
            )
        assert approvals == 3


def test_no_process_outlives_the_supervisor(tmp_path: Path) -> None:
    with running_node(tmp_path, free_port()) as node:
        wait_for(lambda: len(node.children()) == 4, timeout_s=30, what="four processes")
        children = node.children().values()
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()
        wait_for(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in children),
            timeout_s=10,
            what="the children to end",
        )
