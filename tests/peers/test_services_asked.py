"""Every service before every peer, the other half: the node asks and sends."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from app.fetching import Wanted, fetch_series, fetch_study, studies_at
from core.commitments import Commitment
from core.config import PeerSettings
from core.errors import DeliveryError
from dicom_node.network import committing
from dicom_node.network.commitment import Report
from dicom_node.network.scu import echo, reference_to, send_instances
from tests.dicom_node.test_commitment import wait_until
from tests.peers.site import Site
from tests.support.encodings import in_syntax
from tests.support.peers import require_program
from tests.support.settings import free_port
from tests.support.synthetic_dicom import rtdose, rtstruct, uid, written
from tests.support.tunnel import tls_tunnel

pytestmark = [pytest.mark.peer, pytest.mark.slow]


def ours(site: Site) -> dict[str, Any]:
    dicom = site.room.settings.dicom
    return {"calling_ae_title": dicom.ae_title, "tls": dicom.tls}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("TPS", marks=pytest.mark.service("C-ECHO asked", "Orthanc")),
        pytest.param("DCMTK", marks=pytest.mark.service("C-ECHO asked", "DCMTK storescp")),
    ],
)
def test_a_peer_answers_our_echo(site: Site, name: str) -> None:
    echo(site.peer(name), **ours(site))


@pytest.mark.service("C-STORE sent, CT, dose and contours", "Orthanc")
def test_orthanc_takes_each_kind(site: Site, series: list[Dataset], tmp_path: Path) -> None:
    patient = str(series[0].PatientID)
    objects = [
        *series,
        rtstruct(series, {"Heart": []}),
        rtdose(lambda x, _y, _z: 2 + 0 * x, ct=series[0]),
    ]
    before = site.orthanc.count()
    sent = send_instances(written(objects, tmp_path / patient), site.peer("TPS"), **ours(site))
    assert sent == [str(ds.SOPInstanceUID) for ds in objects]
    assert site.orthanc.count() == before + len(objects)


@pytest.mark.service("C-STORE sent, compressed", "DCMTK storescp")
def test_storescp_takes_compressed_instances_as_they_are(
    site: Site, series: list[Dataset], tmp_path: Path
) -> None:
    syntaxes = (RLELossless, JPEGLSLossless, JPEG2000Lossless)
    pixels = {str(ds.SOPInstanceUID): ds.pixel_array.copy() for ds in series}
    encoded = [in_syntax(ds, s) for ds, s in zip(series, syntaxes, strict=False)]
    send_instances(written(encoded, tmp_path), site.peer("DCMTK"), **ours(site))
    came = {str(dcmread(f).SOPInstanceUID): dcmread(f) for f in site.storescp_folder.iterdir()}
    for ds, syntax in zip(series, syntaxes, strict=False):
        received = came[str(ds.SOPInstanceUID)]
        assert received.file_meta.TransferSyntaxUID == syntax
        assert np.array_equal(received.pixel_array, pixels[str(ds.SOPInstanceUID)])


@pytest.mark.service("Commitment asked", "Orthanc")
def test_orthanc_commits_what_we_sent(site: Site, series: list[Dataset], tmp_path: Path) -> None:
    """And says of what it never got that it does not hold it."""
    paths = written(series, tmp_path)
    send_instances(paths[:-1], site.peer("TPS"), **ours(site))
    whole, missing = (asked_of_orthanc(site, several) for several in (paths[:-1], paths))
    assert whole.committed == {path.stem for path in paths[:-1]}
    assert whole.failed == {}
    assert missing.failed == {paths[-1].stem: 0x0112}


def asked_of_orthanc(site: Site, paths: list[Path]) -> Report:
    transaction = uid("commit", str(len(paths)), *(path.stem for path in paths))
    references = tuple(reference_to(path) for path in paths)
    asked = Commitment("", "TPS", transaction, references, "", 0, "")
    committing.ask(site.peer("TPS"), asked, site.on_report, **ours(site))

    def answers() -> list[Report]:
        return [report for report in site.reports if report.transaction_uid == transaction]

    wait_until(answers)
    return answers()[0]


@pytest.mark.service("C-FIND asked", "Orthanc")
def test_orthanc_answers_our_query(site: Site, series: list[Dataset], tmp_path: Path) -> None:
    for path in written(series, tmp_path):
        site.orthanc.upload(path)
    wanted = Wanted(patient_id=str(series[0].PatientID))
    (found,) = studies_at(site.room, site.peer("TPS"), wanted)
    assert found["StudyInstanceUID"] == series[0].StudyInstanceUID
    by_series = Wanted(series_instance_uid=str(series[0].SeriesInstanceUID))
    (found,) = studies_at(site.room, site.peer("TPS"), by_series)
    assert found["StudyInstanceUID"] == series[0].StudyInstanceUID


@pytest.mark.parametrize(
    "over_get",
    [
        pytest.param(False, marks=pytest.mark.service("Fetched by C-MOVE", "Orthanc"), id="move"),
        pytest.param(True, marks=pytest.mark.service("Fetched by C-GET", "Orthanc"), id="get"),
    ],
)
def test_a_study_is_fetched_from_orthanc(
    site: Site, series: list[Dataset], tmp_path: Path, over_get: bool
) -> None:
    for path in written(series, tmp_path):
        site.orthanc.upload(path)
    study = str(series[0].StudyInstanceUID)
    (row,) = fetch_study(site.room, site.peer("TPS"), study, over_get=over_get)
    assert row["held"] == len(series)
    rows = site.room.store.instances.of_series(str(series[0].SeriesInstanceUID))
    assert {i.calling_ae_title for i in rows} == {"TPS"}
    (again,) = fetch_study(site.room, site.peer("TPS"), study, over_get=over_get)
    assert again["held"] == len(series)


@pytest.fixture
def archive(site: Site, tmp_path: Path) -> Iterator[PeerSettings]:
    """DCMTK's small archive, which knows the node; through tunnels where the site speaks TLS."""
    storage = tmp_path / "archive"
    storage.mkdir()
    port = free_port()
    config = tmp_path / "dcmqrscp.cfg"
    config.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\nnode = (RECONTOUR, 127.0.0.1, {site.plain_port})\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nARCHIVE {storage} RW (200, 1024mb) ANY\nAETable END\n"
    )
    command = [str(require_program("dcmqrscp")), "-c", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peer = PeerSettings(name="DCMTK", ae_title="ARCHIVE", host="127.0.0.1", port=port)
    with ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(process.kill)
        wait_until(lambda: _answers(peer))
        if site.certificate is not None:
            tunnel = tls_tunnel(site.certificate, port, callers_speak_tls=True)
            secured = {"port": stack.enter_context(tunnel), "tls": True}
            peer = peer.model_copy(update=secured)
        yield peer


def _answers(peer: PeerSettings) -> bool:
    try:
        echo(peer, calling_ae_title="RECONTOUR")
    except DeliveryError:
        return False
    return True


@pytest.mark.service("C-FIND asked", "DCMTK dcmqrscp")
def test_dcmqrscp_answers_our_query(
    site: Site, series: list[Dataset], tmp_path: Path, archive: PeerSettings
) -> None:
    send_instances(written(series, tmp_path / "ct"), archive, **ours(site))
    study = str(series[0].StudyInstanceUID)
    (found,) = studies_at(site.room, archive, Wanted(study_instance_uid=study))
    assert found["StudyInstanceUID"] == study


@pytest.mark.parametrize(
    "over_get",
    [
        pytest.param(
            False, marks=pytest.mark.service("Fetched by C-MOVE", "DCMTK dcmqrscp"), id="move"
        ),
        pytest.param(
            True, marks=pytest.mark.service("Fetched by C-GET", "DCMTK dcmqrscp"), id="get"
        ),
    ],
)
def test_a_series_is_fetched_from_dcmqrscp(
    site: Site, series: list[Dataset], tmp_path: Path, archive: PeerSettings, over_get: bool
) -> None:
    send_instances(written(series, tmp_path / "ct"), archive, **ours(site))
    study, uid_ = str(series[0].StudyInstanceUID), str(series[0].SeriesInstanceUID)
    assert fetch_series(site.room, archive, study, uid_, over_get=over_get) == len(series)
    assert site.held(series) == {str(ds.SOPInstanceUID) for ds in series}
