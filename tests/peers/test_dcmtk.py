from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRBigEndian

from app.clinic import wait_for
from core.config import Settings
from core.errors import DeliveryError
from core.store import Store, open_store
from dicom_node.network.inbox import Inbox
from dicom_node.network.scu import echo, send_instances
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtdose_reader import read_dose
from tests.dicom_node.nodes import Node, listening_node, peer_at
from tests.support.peers import require_program
from tests.support.settings import free_port, peer_values, settings_for
from tests.support.synthetic_dicom import ct_series, rtdose, rtstruct, written

pytestmark = pytest.mark.peer

# DCMTK leaves Nagle's algorithm on otherwise, and waits 50 ms with each instance.
_ENVIRONMENT = os.environ | {"TCP_NODELAY": "1"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    senders = [peer_values(name) for name in ("TPS", "SENDER0", "SENDER1", "SENDER2", "SENDER3")]
    return settings_for(tmp_path, dicom={"port": 0}, disk_reserve_mb=1, peers=senders)


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings)


@pytest.fixture
def node(settings: Settings, store: Store) -> Iterator[Node]:
    inbox = Inbox(settings.data_folder, store.instances, reserve_mb=0)
    with listening_node(settings, store, inbox) as listening:
        yield listening


def _run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(require_program(program)), *map(str, arguments)]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, env=_ENVIRONMENT, timeout=120
    )


def _storescu(
    node: Node, paths: Sequence[Path], *options: str, calling: str = "TPS"
) -> subprocess.CompletedProcess[str]:
    ends = ("-aet", calling, "-aec", "RECONTOUR", "127.0.0.1", str(node.port))
    return _run("storescu", *options, *ends, *paths)


def _kept_paths(node: Node, series_instance_uid: str) -> list[Path]:
    rows = node.store.instances.of_series(series_instance_uid)
    return [node.settings.data_folder / row.path for row in rows]


def test_echoscu_is_answered(node: Node) -> None:
    answer = _run("echoscu", "-aet", "TPS", "-aec", "RECONTOUR", "127.0.0.1", str(node.port))
    assert answer.returncode == 0, answer.stderr


def test_echoscu_under_a_wrong_title_is_rejected_with_the_reason(node: Node) -> None:
    answer = _run("echoscu", "-aec", "SOMEBODY", "127.0.0.1", str(node.port))
    assert answer.returncode != 0
    assert "Called AE Title Not Recognized" in answer.stderr


# What turns an uncompressed file into this encoding, and what storescu must then propose.
ENCODINGS = {
    "implicit little endian": (("dcmconv", "+ti"), "-xi"),
    "explicit little endian": (("dcmconv", "+te"), "-xe"),
    "JPEG lossless SV1": (("dcmcjpeg", "+e1"), "-xs"),
    "JPEG-LS lossless": (("dcmcjpls", "+el"), "-xt"),
    "RLE": (("dcmcrle",), "-xr"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_series_arrives_in_any_encoding_and_is_the_same_volume(
    encoding: str, node: Node, tmp_path: Path
) -> None:
    (program, *options), proposal = ENCODINGS[encoding]
    series = ct_series(shape=(4, 32, 32))
    plain = written(series, tmp_path / "plain")
    (tmp_path / "encoded").mkdir()
    outgoing = [tmp_path / "encoded" / path.name for path in plain]
    for path, target in zip(plain, outgoing, strict=True):
        converted = _run(program, *options, path, target)
        assert converted.returncode == 0, converted.stderr
    sent = _storescu(node, outgoing, proposal)
    assert sent.returncode == 0, sent.stderr
    kept = _kept_paths(node, str(series[0].SeriesInstanceUID))
    syntaxes = {dcmread(path).file_meta.TransferSyntaxUID for path in (*kept, *outgoing)}
    assert len(syntaxes) == 1
    assert np.array_equal(read_ct(kept).volume.values, read_ct(plain).volume.values)


def test_who_has_a_dose_in_big_endian_sends_it_in_little_endian(node: Node, tmp_path: Path) -> None:
    """In big endian its pixels of 32 bits would be read in another order than DCMTK writes them."""
    ds = rtdose(lambda x, y, z: 20 + 0.1 * x + 0.2 * y + 0.3 * z)
    (plain,) = written([ds], tmp_path / "plain")
    big = tmp_path / "big.dcm"
    assert _run("dcmconv", "+tb", plain, big).returncode == 0
    assert dcmread(big).file_meta.TransferSyntaxUID == ExplicitVRBigEndian
    assert _storescu(node, [big], "-xb").returncode == 0
    (kept,) = _kept_paths(node, str(ds.SeriesInstanceUID))
    assert np.array_equal(read_dose(kept).volume.values, read_dose(plain).volume.values)


def test_four_storescu_at_once_mix_nothing_up(node: Node, tmp_path: Path) -> None:
    series = [ct_series(shape=(12, 32, 32), name=f"s{n}", patient=f"P{n}") for n in range(4)]
    outgoing = [written(slices, tmp_path / str(n)) for n, slices in enumerate(series)]
    with ThreadPoolExecutor(4) as senders:
        codes = list(
            senders.map(
                lambda n: _storescu(node, outgoing[n], calling=f"SENDER{n}").returncode, range(4)
            )
        )
    assert codes == [0, 0, 0, 0]
    for n, slices in enumerate(series):
        kept = _kept_paths(node, str(slices[0].SeriesInstanceUID))
        assert {dcmread(path).PatientID for path in kept} == {f"P{n}"}
        assert len(kept) == 12


def test_an_association_that_storescu_aborts_loses_nothing(node: Node, tmp_path: Path) -> None:
    series = ct_series(shape=(6, 32, 32))
    _storescu(node, written(series, tmp_path / "outgoing"), "--abort")
    assert len(_kept_paths(node, str(series[0].SeriesInstanceUID))) == 6


def test_an_object_that_dcmodify_changed_is_kept_aside(node: Node, tmp_path: Path) -> None:
    (path,) = written(ct_series()[:1], tmp_path / "outgoing")
    first = path.read_bytes()
    assert _storescu(node, [path]).returncode == 0
    changed = _run("dcmodify", "-nb", "-m", "(0008,103e)=Changed on the way", path)
    assert changed.returncode == 0, changed.stderr
    assert _storescu(node, [path]).returncode == 0
    in_use, aside = node.store.instances.find(path.stem)
    assert aside.kept_aside
    assert aside.header.series_description == "Changed on the way"
    kept = dcmread(node.settings.data_folder / in_use.path)
    path.write_bytes(first)
    assert kept.SeriesDescription == dcmread(path).SeriesDescription


@contextmanager
def _storescp(folder: Path, *options: str) -> Iterator[int]:
    """DCMTK's receiver writing to `folder`; yields its port once it answers C-ECHO."""
    folder.mkdir()
    port = free_port()
    command = [str(require_program("storescp")), *options, "-od", str(folder), str(port)]
    process = subprocess.Popen(
        command, env=_ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for_echo(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait_for_echo(port: int) -> None:
    def answers() -> bool:
        echo(peer_at(port), calling_ae_title="RECONTOUR")
        return True

    wait_for(answers, timeout_s=30, what="storescp to answer", every_s=0.1)


def _wait_for_listener(port: int) -> None:
    def listens() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=30):
            return True
        return False

    wait_for(listens, timeout_s=30, what="storescp to listen", every_s=0.1)


def test_storescp_receives_what_we_send_unchanged(tmp_path: Path) -> None:
    ct = ct_series(shape=(5, 32, 32))
    objects = [rtstruct(ct, {"Heart": []}), *ct]
    paths = written(objects, tmp_path / "outgoing")
    with _storescp(tmp_path / "received") as port:
        sent = send_instances(paths, peer_at(port), calling_ae_title="RECONTOUR")
    assert sent == [path.stem for path in paths]
    received = {dcmread(f).SOPInstanceUID: dcmread(f) for f in (tmp_path / "received").iterdir()}
    assert len(received) == 6
    for path in paths:
        assert received[path.stem] == dcmread(path)


def test_storescp_that_refuses_every_association_is_a_failure(tmp_path: Path) -> None:
    paths = written([rtstruct(ct_series(), {"Heart": []})], tmp_path / "outgoing")
    port = free_port()
    command = [str(require_program("storescp")), "--refuse", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for_listener(port)
        with pytest.raises(DeliveryError, match="rejected us"):
            send_instances(paths, peer_at(port), calling_ae_title="RECONTOUR")
    finally:
        process.kill()
        process.wait()


def test_storescp_that_aborts_is_a_failure(tmp_path: Path) -> None:
    paths = written([rtstruct(ct_series(), {"Heart": []})], tmp_path / "outgoing")
    with (
        _storescp(tmp_path / "received", "--abort-during") as port,
        pytest.raises(DeliveryError),
    ):
        send_instances(paths, peer_at(port), calling_ae_title="RECONTOUR")
