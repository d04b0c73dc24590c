from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from core.errors import DeliveryError
from dicom_node.network.association import _Reached, associated
from dicom_node.network.contexts import VERIFICATION
from dicom_node.network.scu import echo, kind_of, send_instances
from dicom_node.network.transcode import contexts_for
from tests.dicom_node.nodes import Node, answering, peer_at
from tests.support.encodings import in_syntax
from tests.support.settings import free_port
from tests.support.synthetic_dicom import ct_series, rtstruct, written


@pytest.fixture
def outgoing(tmp_path: Path) -> list[Path]:
    return written([rtstruct(ct_series(), {"Heart": []})], tmp_path / "outgoing")


def test_what_the_peer_accepted_is_returned(outgoing: list[Path]) -> None:
    with answering(lambda _event: 0x0000) as (port, received):
        sent = send_instances(outgoing, peer_at(port), calling_ae_title="RECONTOUR")
    assert sent == [ds.SOPInstanceUID for ds in received]
    assert len(sent) == 1


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC000, 0xB000, 0x0122, 0x0001])
def test_any_answer_but_0x0000_is_a_failure(status: int, outgoing: list[Path]) -> None:
    """A warning counts too: 0xB000 means that the peer changed what it keeps."""
    with (
        answering(lambda _event: status) as (port, _),
        pytest.raises(DeliveryError, match=f"0x{status:04X}"),
    ):
        send_instances(outgoing, peer_at(port), calling_ae_title="RECONTOUR")


def test_no_answer_is_a_failure(outgoing: list[Path]) -> None:
    def hang_up(event: evt.Event) -> int:
        event.assoc.abort()
        return 0x0000

    with answering(hang_up) as (port, _), pytest.raises(DeliveryError):
        send_instances(outgoing, peer_at(port), calling_ae_title="RECONTOUR")


class _WakesLate(threading.Event):
    """The checkpoint at which pynetdicom pauses its reactor, on a machine that is busy."""

    def wait(self, timeout: float | None = None) -> bool:
        reached = super().wait(timeout)
        time.sleep(0.3)
        return reached


def test_an_answer_that_comes_before_the_association_has_paused_is_not_lost(
    outgoing: list[Path],
) -> None:
    """pynetdicom's reactor took it from the queue and threw it away; we waited 30 s for nothing."""
    with answering(lambda _event: 0x0000) as (port, received):
        contexts = contexts_for([kind_of(path) for path in outgoing])
        with associated(peer_at(port), contexts, calling_ae_title="RECONTOUR") as association:
            _on_a_busy_machine(association)
            status = association.send_c_store(dcmread(outgoing[0]))
    assert status.Status == 0x0000
    assert len(received) == 1


def _on_a_busy_machine(association: Association) -> None:
    """The reactor goes on late after a pause, and whoever waits for an answer looks later still."""
    late = _WakesLate()
    late.set()
    association._reactor_checkpoint = late
    association.dimse_timeout = 3.0
    get_msg = association.dimse.get_msg

    def looks_late(block: bool = False) -> Any:
        time.sleep(0.6 if block else 0.0)
        return get_msg(block)

    association.dimse.get_msg = looks_late  # type: ignore[method-assign]
    time.sleep(0.1)


def test_an_answer_to_nothing_is_passed_over(outgoing: list[Path]) -> None:
    """A reply that nobody waits for is dropped; it does not go round and round."""
    with answering(lambda _event: 0x0000) as (port, _):
        contexts = contexts_for([kind_of(path) for path in outgoing])
        with associated(peer_at(port), contexts, calling_ae_title="RECONTOUR") as association:
            reply = C_STORE()
            reply.MessageIDBeingRespondedTo = 7
            reply.Status = 0x0000
            association._serve_request(reply, 1)
            assert association.dimse.msg_queue.empty()
            assert association.send_c_store(dcmread(outgoing[0])).Status == 0x0000


def test_a_peer_that_is_not_there_is_named(outgoing: list[Path]) -> None:
    port = free_port()
    with pytest.raises(DeliveryError, match=f"TPS .*127.0.0.1:{port}.*nobody answers") as caught:
        send_instances(outgoing, peer_at(port), calling_ae_title="RECONTOUR")
    assert "rejected" not in str(caught.value)


def test_a_socket_that_reaches_itself_is_nobody() -> None:
    """The kernel may give the closed port that is called to the very socket that calls it."""
    port = free_port()
    peer = peer_at(port)
    ae = AE("RECONTOUR")
    reached = _Reached()
    association = ae.associate(
        "127.0.0.1",
        port,
        contexts=[build_context(VERIFICATION)],
        bind_address=("127.0.0.1", port),
        evt_handlers=[(evt.EVT_CONN_OPEN, reached.note)],
    )
    association.abort()
    assert not reached.somebody
    assert peer.port == port


def test_a_peer_that_takes_no_service_of_ours_is_told() -> None:
    with (
        answering(lambda _event: 0x0000) as (port, _),
        pytest.raises(DeliveryError, match="none of the services"),
    ):
        echo(peer_at(port), calling_ae_title="RECONTOUR")


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_what_a_peer_does_not_take_compressed_is_sent_plain(syntax: UID, tmp_path: Path) -> None:
    ds = ct_series(shape=(2, 32, 24))[0]
    pixels = ds.pixel_array.copy()
    uid = ds.SOPInstanceUID
    (path,) = written([in_syntax(ds, syntax)], tmp_path)
    assert dcmread(path).file_meta.TransferSyntaxUID == syntax
    with answering(lambda _event: 0x0000, sop_class=CTImageStorage) as (port, received):
        assert send_instances([path], peer_at(port), calling_ae_title="RECONTOUR") == [uid]
    (came,) = received
    came.file_meta = FileMetaDataset()
    came.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    assert np.array_equal(came.pixel_array, pixels)
    assert came.SOPInstanceUID == uid


def test_a_peer_that_does_not_take_the_object_is_a_failure(outgoing: list[Path]) -> None:
    with (
        answering(lambda _event: 0x0000, sop_class="1.2.840.10008.5.1.4.1.1.2") as (port, received),
        pytest.raises(DeliveryError),
    ):
        send_instances(outgoing, peer_at(port), calling_ae_title="RECONTOUR")
    assert received == []


def test_a_compressed_object_a_peer_cannot_take_is_a_failure(tmp_path: Path) -> None:
    ds = rtstruct(ct_series(), {"Heart": []})
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    paths = written([ds], tmp_path / "outgoing")
    with answering(lambda _event: 0x0000) as (port, _), pytest.raises(DeliveryError):
        send_instances(paths, peer_at(port), calling_ae_title="RECONTOUR")


def test_a_file_that_cannot_be_read_is_a_failure_before_anybody_is_called(tmp_path: Path) -> None:
    (tmp_path / "rs.dcm").write_bytes(b"no DICOM")
    with pytest.raises(DeliveryError, match=r"rs\.dcm"):
        send_instances([tmp_path / "rs.dcm"], peer_at(free_port()), calling_ae_title="RECONTOUR")


def test_sending_to_ourselves_keeps_the_file_as_it_is(node: Node, outgoing: list[Path]) -> None:
    (uid,) = send_instances(outgoing, node.peer, calling_ae_title="TPS")
    (row,) = node.store.instances.find(uid)
    assert row.header.modality == "RTSTRUCT"


def test_a_wrong_ae_title_is_told(node: Node) -> None:
    with pytest.raises(DeliveryError, match="rejected us"):
        echo(peer_at(node.port, "WRONG"), calling_ae_title="TPS")


def test_a_rejection_is_told_even_where_it_was_quicker_than_we_looked(node: Node) -> None:
    """pynetdicom takes a connection that is closed by then for one that ended without a word."""
    contexts = [build_context(VERIFICATION)]
    slow_to_look = [(evt.EVT_REQUESTED, lambda _event: time.sleep(0.3))]
    with (
        pytest.raises(DeliveryError, match=r"rejected us.*Called AE title not recognised"),
        associated(
            peer_at(node.port, "WRONG"), contexts, calling_ae_title="TPS", handlers=slow_to_look
        ),
    ):
        pass


def test_echo_returns_when_the_peer_answers(node: Node) -> None:
    before = threading.active_count()
    echo(node.peer, calling_ae_title="TPS")
    # What belongs to an association goes within a moment of its release.
    deadline = time.monotonic() + 5
    while threading.active_count() > before + 1:
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.05)
