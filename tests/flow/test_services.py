"""Query, retrieve and commitment over the node's own processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pynetdicom import AE, build_context

from app.clinic import wait_for
from dicom_node.network.contexts import (
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    STUDY_ROOT_MOVE,
)
from dicom_node.network.scu import send_instances
from tests.dicom_node.nodes import peer_at
from tests.dicom_node.serving import foreign_ae
from tests.dicom_node.test_commitment import information, reference, wait_until
from tests.dicom_node.test_retrieve import identifier
from tests.support.node import RunningNode, running_node
from tests.support.settings import free_port, peer_values
from tests.support.synthetic_dicom import ct_series, written

pytestmark = pytest.mark.slow


def test_a_tps_pushes_has_it_committed_and_fetches_it_back(tmp_path: Path) -> None:
    """The report comes from the worker: the TPS hangs up after it asked."""
    port = free_port()
    tps = peer_values("TPS", port=port, retry_first_s=0.5, retry_longest_s=2.0)
    ct = ct_series(shape=(3, 16, 16))
    with (
        running_node(tmp_path, port, peers=[tps]) as node,
        foreign_ae("TPS", port=port) as received,
    ):
        peer = peer_at(node.settings.dicom.port, "RECONTOUR")
        send_instances(written(ct, tmp_path / "ct"), peer, calling_ae_title="TPS")
        ae = AE("TPS")
        contexts = [build_context(STORAGE_COMMITMENT), build_context(STUDY_ROOT_MOVE)]
        association = ae.associate("127.0.0.1", peer.port, contexts=contexts, ae_title="RECONTOUR")
        assert association.is_established
        study = identifier(StudyInstanceUID=ct[0].StudyInstanceUID)
        *_, (moved, _) = association.send_c_move(study, "TPS", STUDY_ROOT_MOVE)
        asked, _ = association.send_n_action(
            information(*map(reference, ct)), 1, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
        )
        association.release()
        assert (moved.Status, asked.Status) == (0x0000, 0x0000)
        assert len(received.stored) == len(ct)
        wait_until(lambda: received.reports, timeout_s=120)
        # A person waits for the page: everything else gives way to it, once it has begun.
        wait_for(lambda: the_page_goes_first(node), timeout_s=60, what="the others to give way")
    ((event_type, report),) = received.reports
    assert event_type == 1
    assert len(report.ReferencedSOPSequence) == len(ct)


def the_page_goes_first(node: RunningNode) -> bool:
    nice = {role: os.getpriority(os.PRIO_PROCESS, pid) for role, pid in node.children().items()}
    return nice["review"] < min(nice["node"], nice["worker"]) < nice["trainer"]
