from __future__ import annotations

import logging
import signal
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    MRImageStorage,
    RTDoseStorage,
    RTPlanStorage,
    RTStructureSetStorage,
)
from pynetdicom import _config

from core.config import Settings
from core.store import Store
from dicom_node.network.contexts import TRANSFER_SYNTAXES, VERIFICATION
from dicom_node.network.inbox import Inbox
from dicom_node.network.scu import send_instances
from tests.dicom_node.nodes import Node, associated, listening_node, stored
from tests.support.settings import settings_for
from tests.support.synthetic_dicom import ct_series, encoded, rtdose, rtplan, rtstruct, written


def test_success_is_answered_for_an_instance_that_was_kept(node: Node) -> None:
    ds = ct_series()[0]
    with associated(node) as association:
        assert stored(association, ds) == 0x0000
        # Asked while the association is still open: Success means that it is already durable.
        (row,) = node.store.instances.find(ds.SOPInstanceUID)
    kept = dcmread(node.settings.data_folder / row.path)
    assert kept.PixelData == ds.PixelData
    assert row.calling_ae_title == "TPS"


def test_each_kind_a_planning_system_pushes_is_kept(node: Node) -> None:
    ct = ct_series()
    objects = [
        ct[0],
        rtdose(lambda x, _y, _z: 2.0 + 0 * x, ct=ct[0]),
        rtstruct(ct, {"Heart": []}),
        rtplan(ct[0], structure_set_uid="1.2.3"),
    ]
    classes = (CTImageStorage, RTDoseStorage, RTStructureSetStorage, RTPlanStorage)
    with associated(node, sop_classes=classes) as association:
        assert [stored(association, ds) for ds in objects] == [0, 0, 0, 0]
    modalities = {node.store.instances.find(ds.SOPInstanceUID)[0].header.modality for ds in objects}
    assert modalities == {"CT", "RTDOSE", "RTSTRUCT", "RTPLAN"}


def test_echo_is_answered(node: Node) -> None:
    with associated(node, sop_classes=(VERIFICATION,)) as association:
        assert association.send_c_echo().Status == 0x0000


@pytest.mark.parametrize("transfer_syntax", TRANSFER_SYNTAXES, ids=lambda uid: uid.name)
def test_every_promised_transfer_syntax_is_negotiated(node: Node, transfer_syntax: UID) -> None:
    with associated(node, transfer_syntaxes=[transfer_syntax]) as association:
        assert association.accepted_contexts[0].transfer_syntax == [transfer_syntax]


def test_a_deflated_transfer_syntax_is_not_accepted(node: Node) -> None:
    """Some hundred kilobytes of it can become some hundred megabytes."""
    with associated(node, transfer_syntaxes=[DeflatedExplicitVRLittleEndian]) as association:
        assert association.accepted_contexts == []


def test_other_kinds_of_object_are_not_accepted(node: Node) -> None:
    with associated(node, sop_classes=(MRImageStorage,)) as association:
        assert association.accepted_contexts == []


def test_a_wrong_called_ae_title_is_rejected(node: Node) -> None:
    with associated(node, called="SOMEBODY") as association:
        assert association.is_rejected


def test_only_listed_callers_are_let_in(tmp_path: Path, store: Store, inbox: Inbox) -> None:
    settings = settings_for(tmp_path, dicom={"port": 0})
    with listening_node(settings, store, inbox) as node:
        with associated(node, calling="STRANGER") as stranger:
            assert stranger.is_rejected
        with associated(node, calling="TPS") as known:
            assert known.is_established


def test_more_associations_than_allowed_are_rejected(
    tmp_path: Path, store: Store, inbox: Inbox
) -> None:
    settings = settings_for(tmp_path, dicom={"port": 0, "maximum_associations": 1})
    with listening_node(settings, store, inbox) as node, associated(node) as first:
        assert first.is_established
        with associated(node) as second:
            assert not second.is_established


def test_a_uid_that_is_a_path_is_refused(node: Node, tmp_path: Path) -> None:
    ds = ct_series()[0]
    ds.SOPInstanceUID = UID("../../../../evil", validation_mode=0)
    with associated(node) as association:
        assert stored(association, ds) == 0xC000
    assert node.files() == []
    assert list(tmp_path.rglob("*evil*")) == []


def test_a_command_that_names_another_object_is_answered_a900(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = ct_series()[0]
    (path,) = written([ds], tmp_path / "outgoing")
    right = str(ds.SOPInstanceUID).encode()
    wrong = right[:-1] + (b"1" if right[-1:] != b"1" else b"2")
    # The first of two places is the file meta information.
    path.write_bytes(path.read_bytes().replace(right, wrong, 1))
    # Then pynetdicom takes the command's UID from the file meta information.
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    with associated(node) as association:
        assert association.send_c_store(path).Status == 0xA900
    assert node.files() == []


def test_a_data_set_that_cannot_be_read_is_answered_c000(node: Node) -> None:
    ds = ct_series()[0]
    del ds.StudyInstanceUID
    with associated(node) as association:
        assert stored(association, ds) == 0xC000


def test_a_full_disk_is_answered_a700_and_the_sender_may_try_again(
    settings: Settings, store: Store, inbox: Inbox
) -> None:
    ds = ct_series()[0]
    full = Inbox(settings.data_folder, store.instances, reserve_mb=10**9)
    with listening_node(settings, store, full) as node, associated(node) as association:
        assert stored(association, ds) == 0xA700
        assert node.files() == []
    with listening_node(settings, store, inbox) as node, associated(node) as association:
        assert stored(association, ds) == 0x0000


def test_a_store_that_fails_is_answered_and_the_association_goes_on(
    settings: Settings, store: Store
) -> None:
    class Failing(Inbox):
        def keep(self, received: object) -> None:
            raise RuntimeError("the data base went away with SECRET^NAME")

    failing = Failing(settings.data_folder, store.instances, reserve_mb=0)
    first, second = ct_series()[:2]
    with listening_node(settings, store, failing) as node, associated(node) as association:
        assert stored(association, first) == 0xA700
        assert stored(association, second) == 0xA700


def test_the_same_uid_again_is_success_whatever_it_holds(node: Node) -> None:
    """A TPS that is refused a repeated instance stops the whole transfer."""
    ds = ct_series()[0]
    with associated(node) as association:
        assert stored(association, ds) == 0x0000
        assert stored(association, ds) == 0x0000
        ds.SeriesDescription = "changed"
        assert stored(association, ds) == 0x0000
    rows = node.store.instances.find(ds.SOPInstanceUID)
    assert [row.kept_aside for row in rows] == [False, True]


def test_four_senders_at_once_mix_nothing_up(node: Node, tmp_path: Path) -> None:
    series = [ct_series(shape=(15, 16, 16), name=f"series {n}", patient=f"P{n}") for n in range(4)]
    outgoing = [written(slices, tmp_path / str(n)) for n, slices in enumerate(series)]

    def send(n: int) -> list[str]:
        return send_instances(outgoing[n], node.peer, calling_ae_title=f"SENDER{n}")

    with ThreadPoolExecutor(4) as senders:
        sent = list(senders.map(send, range(4)))
    for n, slices in enumerate(series):
        assert sent[n] == [ds.SOPInstanceUID for ds in slices]
        rows = node.store.instances.of_series(slices[0].SeriesInstanceUID)
        assert len(rows) == 15
        for row in rows:
            kept = dcmread(node.settings.data_folder / row.path)
            assert kept.PatientID == f"P{n}"
            assert row.calling_ae_title == f"SENDER{n}"
    assert len(node.files()) == 60


def test_an_aborted_association_loses_nothing_that_was_answered(node: Node) -> None:
    series = ct_series(shape=(8, 16, 16))
    with associated(node) as association:
        answered = [ds for ds in series[:5] if stored(association, ds) == 0x0000]
        association.abort()
    assert len(answered) == 5
    for ds in answered:
        (row,) = node.store.instances.find(ds.SOPInstanceUID)
        assert (node.settings.data_folder / row.path).is_file()


_DYING_SENDER = """
import os, signal, struct, sys
from pynetdicom import AE
ae = AE("TPS")
ae.add_requested_context("1.2.840.10008.5.1.4.1.1.2")
association = ae.associate("127.0.0.1", int(sys.argv[1]), ae_title="RECONTOUR")
assert association.is_established
# A P-DATA-TF PDU that promises 100 kB and brings a tenth.
association.dul.socket.socket.sendall(struct.pack(">BBL", 4, 0, 100_000) + bytes(10_000))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_sender_that_dies_within_an_instance_leaves_no_half(node: Node) -> None:
    died = subprocess.run([sys.executable, "-c", _DYING_SENDER, str(node.port)], check=False)
    assert died.returncode == -signal.SIGKILL
    with associated(node) as association:
        assert stored(association, ct_series()[0]) == 0x0000
    assert len(node.files()) == 1


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def _send_until_refused(attacker: socket.socket) -> int:
    """How many megabytes went out before the connection was ended, at most 200."""
    for sent_mb in range(200):
        try:
            attacker.sendall(b"\0" * 1_000_000)
        except OSError:
            return sent_mb
    return 200


def test_a_huge_pdu_does_not_grow_the_memory(node: Node) -> None:
    """An association request that claims 2 GB, from somebody nobody knows."""
    before = _resident_mb()
    with socket.create_connection(("127.0.0.1", node.port)) as attacker:
        attacker.sendall(struct.pack(">BBL", 1, 0, 0x7FFFFFFF))
        sent_mb = _send_until_refused(attacker)
    assert sent_mb < 200
    assert _resident_mb() - before < 30
    with associated(node) as association:
        assert association.is_established


def test_half_a_pdu_and_then_silence_ends_the_connection(
    tmp_path: Path, store: Store, inbox: Inbox
) -> None:
    settings = settings_for(tmp_path, dicom={"port": 0, "network_timeout_s": 1})
    with (
        listening_node(settings, store, inbox) as node,
        socket.create_connection(("127.0.0.1", node.port)) as silent,
    ):
        silent.sendall(struct.pack(">BBL", 1, 0, 2000) + b"x" * 10)
        silent.settimeout(10)
        started = time.monotonic()
        assert silent.recv(1) == b""
        assert time.monotonic() - started < 5


def test_no_log_names_the_patient(
    node: Node, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    ds = ct_series(patient="SECRET7")[0]
    with caplog.at_level(logging.DEBUG), associated(node) as association:
        assert stored(association, ds) == 0x0000
        ds.SeriesDescription = "SECRET7 again"
        assert stored(association, ds) == 0x0000
        del ds.StudyInstanceUID
        assert stored(association, ds) == 0xC000
    out, err = capfd.readouterr()
    assert "SECRET7" not in caplog.text + out + err
    assert b"SECRET7" in encoded(ds)
