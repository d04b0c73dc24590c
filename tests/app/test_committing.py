"""Delivered, then committed: what a destination answers for, and what is done when it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt

from app.committing import ask_to_commit
from app.delivering import deliver
from app.services import services_of
from core.case import CaseState
from core.records import Delivery
from dicom_node.network.contexts import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from review_ui.words import delivery_in_words
from tests.dicom_node.serving import Foreign, Serving, foreign_ae, serving_node
from tests.support.room import approve_mask, bring_up_to_date
from tests.support.settings import free_port, peer_values
from tests.support.synthetic_dicom import ct_series


class Tps:
    """A TPS that takes what we deliver, and reports on commitments when it is told to."""

    def __init__(self, node: Serving, received: Foreign) -> None:
        self.node = node
        self.received = received
        self.requests: list[Dataset] = []

    def take(self, event: evt.Event) -> int:
        self.requests.append(event.action_information)
        return 0x0000

    def report(self, reason: int | None = None, *, calling: str = "TPS", **changes: Any) -> int:
        """Report on the last request, on an association of its own; the status we answer."""
        request = self.requests[-1]
        ds = Dataset()
        ds.TransactionUID = changes.get("transaction", request.TransactionUID)
        if reason is None:
            ds.ReferencedSOPSequence = changes.get("references", request.ReferencedSOPSequence)
        else:
            ds.FailedSOPSequence = deepcopy(request.ReferencedSOPSequence)
            ds.ReferencedSOPSequence = changes.get("committed", [])
            for item in ds.FailedSOPSequence:
                item.FailureReason = reason
        ae = AE(calling)
        ae.add_requested_context(STORAGE_COMMITMENT)
        association = ae.associate(
            "127.0.0.1",
            self.node.port,
            ae_title="RECONTOUR",
            ext_neg=[build_role(STORAGE_COMMITMENT, scp_role=True)],
        )
        assert association.is_established
        status, _ = association.send_n_event_report(
            ds,
            changes.get("event_type", 1 if reason is None else 2),
            STORAGE_COMMITMENT,
            STORAGE_COMMITMENT_INSTANCE,
        )
        association.release()
        return int(status.Status)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def node(tmp_path: Path, port: int) -> Iterator[Serving]:
    """A node with an approved case, on its way to a TPS that is asked to commit."""
    peers = [peer_values("TPS", port=port, ask_commitment=True), peer_values("OTHER")]
    with serving_node(tmp_path, *peers) as serving:
        serving.hold(ct_series(shape=(6, 24, 20)))
        bring_up_to_date(serving.room)
        (case,) = serving.store.cases.all()
        assert case.geometry is not None
        mask = np.zeros(case.geometry.shape, bool)
        mask[2:4, 8:16, 6:14] = True
        approve_mask(serving.room, case.id, mask)
        yield serving


@contextmanager
def tps_at(port: int, node: Serving) -> Iterator[Tps]:
    def take(event: evt.Event) -> int:
        return tps.take(event)

    with foreign_ae("TPS", port=port, on_action=take) as received:
        tps = Tps(node, received)
        yield tps


def work(node: Serving, *, later_s: float = 0) -> None:
    """Deliver and ask whatever is due by then."""
    later = timedelta(seconds=later_s)
    for row in node.store.deliveries.due(now=node.room.now() + later):
        deliver(node.room, row.id)
    for asked in node.store.asked.due(now=node.room.now() + later):
        ask_to_commit(node.room, asked.id)


def delivery(node: Serving) -> Delivery:
    (found,) = node.store.deliveries.all()
    return found


def words(node: Serving) -> str:
    return delivery_in_words(delivery(node), now=node.room.now())


def test_a_delivery_is_committed_when_the_destination_says_so(node: Serving, port: int) -> None:
    with tps_at(port, node) as tps:
        work(node)
        assert words(node) == "sent to TPS, asked to commit"
        (request,) = tps.requests
        (item,) = request.ReferencedSOPSequence
        (sent,) = tps.received.stored
        assert item.ReferencedSOPInstanceUID == sent.SOPInstanceUID
        assert item.ReferencedSOPClassUID == sent.SOPClassUID
        assert tps.report() == 0x0000
    assert words(node) == "committed by TPS"
    work(node, later_s=100_000)  # nothing is left to do
    assert len(tps.requests) == 1


def test_a_report_on_the_same_association_counts_too(node: Serving, port: int) -> None:
    def report_at_once(event: evt.Event) -> int:
        asked = event.action_information

        def contents() -> tuple[int, Dataset]:
            ds = Dataset()
            ds.TransactionUID = asked.TransactionUID
            ds.ReferencedSOPSequence = asked.ReferencedSOPSequence
            return 1, ds

        same = node_side.same_association
        same.soon(event.assoc, contents, lambda _made: None)
        return 0x0000

    node_side = services_of(node.room)
    with foreign_ae("TPS", port=port, on_action=report_at_once):
        work(node)
    assert words(node) == "committed by TPS"


def test_what_is_not_committed_is_sent_and_asked_again_and_then_told(
    node: Serving, port: int
) -> None:
    with tps_at(port, node) as tps:
        work(node)
        assert tps.report(0x0112) == 0x0000
        assert words(node) == (
            "sent again to TPS soon: TPS did not commit 1 of 1: no such object instance (0x0112)."
        )
        for _ in range(2):
            deliver(node.room, delivery(node).id)
            work(node, later_s=1000)
            assert tps.report(0x0110) == 0x0000
        assert len(tps.received.stored) == 3
        assert len({ds.SOPInstanceUID for ds in tps.received.stored}) == 1
        assert len({request.TransactionUID for request in tps.requests}) == 3
        assert words(node) == (
            "sent to TPS, but: TPS did not commit 1 of 1: processing failure (0x0110)."
        )
        work(node, later_s=100_000)
        assert len(tps.requests) == 3
        assert node.store.asked.release_refused(now=node.room.now()) == 1
        work(node)
        assert tps.report() == 0x0000
    assert words(node) == "committed by TPS"
    assert node.store.cases.all()[0].state is CaseState.DELIVERED


def test_a_report_that_leaves_an_object_out_commits_nothing(node: Serving, port: int) -> None:
    with tps_at(port, node) as tps:
        work(node)
        assert tps.report(references=[]) == 0x0000
    assert "its report leaves them out" in words(node)


def test_what_a_report_commits_and_refuses_at_once_is_not_committed(
    node: Serving, port: int
) -> None:
    with tps_at(port, node) as tps:
        work(node)
        assert tps.report(reason=0x0110, committed=tps.requests[-1].ReferencedSOPSequence) == 0x0000
    assert "processing failure (0x0110)" in words(node)


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (lambda tps: tps.report(calling="OTHER"), 0x0115),
        (lambda tps: tps.report(transaction="1.2.3"), 0x0115),
        (lambda tps: tps.report(transaction=""), 0x0115),
        (lambda tps: tps.report(event_type=3), 0x0113),
    ],
    ids=["another peer", "another transaction", "no transaction", "another event"],
)
def test_a_report_that_does_not_answer_us_changes_nothing(
    node: Serving, port: int, report: Callable[[Tps], int], status: int
) -> None:
    with tps_at(port, node) as tps:
        work(node)
        assert report(tps) == status
    assert words(node) == "sent to TPS, asked to commit"


def test_no_answer_is_asked_again_under_a_new_transaction(node: Serving, port: int) -> None:
    with tps_at(port, node) as tps:
        work(node)
        work(node, later_s=500)
        assert len(tps.requests) == 1
        work(node, later_s=700)
        first, second = tps.requests
        assert first.TransactionUID != second.TransactionUID
        assert len(tps.received.stored) == 1
        assert tps.report() == 0x0000
    assert words(node) == "committed by TPS"


def test_a_destination_that_does_not_take_the_request_is_asked_again(
    node: Serving, port: int
) -> None:
    with foreign_ae("TPS", port=port, on_action=lambda _event: 0x0213):
        work(node)
    (asked,) = node.store.asked.due(now=node.room.now() + timedelta(seconds=70))
    assert "0x0213" in asked.last_error
    with tps_at(port, node) as tps:
        work(node, later_s=70)
        assert tps.report() == 0x0000
    assert words(node) == "committed by TPS"


def test_a_destination_that_is_not_asked_is_only_sent_to(tmp_path: Path, port: int) -> None:
    with serving_node(tmp_path, peer_values("TPS", port=port)) as node:
        node.hold(ct_series(shape=(6, 24, 20)))
        bring_up_to_date(node.room)
        (case,) = node.store.cases.all()
        assert case.geometry is not None
        mask = np.zeros(case.geometry.shape, bool)
        mask[2:4, 8:16, 6:14] = True
        approve_mask(node.room, case.id, mask)
        with tps_at(port, node) as tps:
            work(node, later_s=1000)
        assert tps.requests == []
        assert words(node) == "sent to TPS"
