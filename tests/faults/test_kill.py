"""kill -9 at any moment: nothing is lost, nothing happens twice."""

from __future__ import annotations

import signal
from pathlib import Path

from app.clinic import Physician, wait_for
from app.clinic_dicom import SyntheticPatient
from app.peer import parse_peer
from core.case import CaseState
from core.errors import DeliveryError
from core.geometry import Mask
from dicom_node.network.scu import send_instances
from tests.support.node import PASSWORD, USERNAME, RunningNode, running_node
from tests.support.settings import free_port

FINISHED = {CaseState.APPROVED, CaseState.DELIVERED}


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


def test_no_process_outlives_the_supervisor(tmp_path: Path) -> None:
    with running_node(tmp_path, free_port()) as node:
        wait_for(lambda: len(node.children()) == 4, timeout_s=120, what="four processes")
        children = node.children().values()
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()
        wait_for(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in children),
            timeout_s=60,
            what="the children to end",
        )
