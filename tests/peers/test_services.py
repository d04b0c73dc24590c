"""Every service before every peer, with TLS and without: the table of `make peers`.

DCMTK has no program for storage commitment, and its movescu, getscu and dcmqrscp no TLS: there
pynetdicom is the foreign peer. This half: the node answers.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage, JPEG2000Lossless, RLELossless
from pynetdicom import build_context, build_role, evt

from dicom_node.network.contexts import (
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from tests.dicom_node.test_commitment import information, reference, wait_until
from tests.dicom_node.test_retrieve import identifier
from tests.peers.site import Site
from tests.support.encodings import in_syntax
from tests.support.peers import require_program
from tests.support.synthetic_dicom import written

pytestmark = [pytest.mark.peer, pytest.mark.slow]


WITHOUT_TLS = pytest.mark.parametrize("site", ["plain"], indirect=True)


def uids(series: list[Dataset]) -> set[str]:
    return {str(ds.SOPInstanceUID) for ds in series}


def keep(site: Site, series: list[Dataset], folder: Path) -> None:
    """Let the node hold a series, sent by DCMTK."""
    sent = site.dcmtk("storescu", *written(series, folder))
    assert sent.returncode == 0, sent.stderr
    assert site.held(series) == uids(series)


@pytest.mark.service("C-ECHO answered", "Orthanc")
def test_orthanc_is_answered_an_echo(site: Site) -> None:
    site.orthanc.echo("NODE")


@pytest.mark.service("C-ECHO answered", "DCMTK echoscu")
def test_echoscu_is_answered(site: Site) -> None:
    answered = site.dcmtk("echoscu")
    assert answered.returncode == 0, answered.stderr


@pytest.mark.service("C-STORE received", "Orthanc")
def test_orthanc_sends_a_series(site: Site, series: list[Dataset], tmp_path: Path) -> None:
    ids = [site.orthanc.upload(path) for path in written(series, tmp_path)]
    site.orthanc.push(ids, "NODE")
    assert site.held(series) == uids(series)


ENCODINGS = {
    "explicit": (("dcmconv", "+te"), "-xe"),
    "implicit": (("dcmconv", "+ti"), "-xi"),
    "big-endian": (("dcmconv", "+tb"), "-xb"),
    "jpeg-lossless-sv1": (("dcmcjpeg", "+e1"), "-xs"),
    "jpeg-ls": (("dcmcjpls", "+el"), "-xt"),
    "rle": (("dcmcrle",), "-xr"),
    "jpeg-2000": (None, "-xv"),
}


@pytest.mark.service("C-STORE received, every syntax", "DCMTK storescu")
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_storescu_sends_each_syntax(
    site: Site, series: list[Dataset], tmp_path: Path, encoding: str
) -> None:
    program, proposal = ENCODINGS[encoding]
    ds = series[0]
    before = ds.pixel_array.copy()
    (plain,) = written([ds], tmp_path / "plain")
    target = tmp_path / f"{ds.SOPInstanceUID}.dcm"
    if program is None:  # DCMTK writes no JPEG 2000
        (target,) = written([in_syntax(ds, JPEG2000Lossless)], tmp_path)
    else:
        subprocess.run([require_program(program[0]), *program[1:], plain, target], check=True)
    sent = site.dcmtk("storescu", proposal, target)
    assert sent.returncode == 0, sent.stderr
    (row,) = site.room.store.instances.find(str(ds.SOPInstanceUID))
    kept = dcmread(site.room.path(row.path))
    assert kept.file_meta.TransferSyntaxUID == dcmread(target).file_meta.TransferSyntaxUID
    assert np.array_equal(kept.pixel_array.astype(int), before.astype(int))


@pytest.mark.service("Commitment answered", "Orthanc")
def test_orthanc_is_told_that_its_series_is_committed(
    site: Site, series: list[Dataset], tmp_path: Path
) -> None:
    ids = [site.orthanc.upload(path) for path in written(series, tmp_path)]
    site.orthanc.push(ids[:-1], "NODE")
    with site.worker():
        answer = site.orthanc.ask_commitment("NODE", ids[:-1])
        assert (answer["Status"], len(answer["Success"])) == ("Success", 3)
        answer = site.orthanc.ask_commitment("NODE", ids)
    assert (answer["Status"], len(answer["Success"])) == ("Failure", 3)
    (failure,) = answer["Failures"]
    assert failure["SOPInstanceUID"] == series[-1].SOPInstanceUID
    assert failure["FailureReason"] == 0x0112


@pytest.mark.service("Commitment answered, same association", "pynetdicom")
def test_a_caller_that_waits_is_told_on_its_own_association(
    site: Site, series: list[Dataset], tmp_path: Path
) -> None:
    keep(site, series, tmp_path)
    heard = []

    def on_report(event: evt.Event) -> tuple[int, None]:
        heard.append(event.event_type)
        return 0x0000, None

    with site.called([build_context(STORAGE_COMMITMENT)]) as association:
        association.bind(evt.EVT_N_EVENT_REPORT, on_report)
        association.send_n_action(
            information(*map(reference, series), transaction=str(series[0].SOPInstanceUID)),
            1,
            STORAGE_COMMITMENT,
            STORAGE_COMMITMENT_INSTANCE,
        )
        wait_until(lambda: heard)
    assert heard == [1]


@pytest.mark.service("C-FIND answered", "Orthanc")
def test_orthanc_finds_a_study(site: Site, series: list[Dataset], tmp_path: Path) -> None:
    keep(site, series, tmp_path)
    keys = {"PatientID": str(series[0].PatientID), "StudyInstanceUID": ""}
    assert site.orthanc.found(site.orthanc.find("NODE", "Study", **keys)) == 1


@pytest.mark.service("C-FIND answered", "DCMTK findscu")
def test_findscu_finds_each_level(site: Site, series: list[Dataset], tmp_path: Path) -> None:
    keep(site, series, tmp_path)
    first = series[0]
    study = ("-k", f"StudyInstanceUID={first.StudyInstanceUID}")
    of_series = (*study, "-k", f"SeriesInstanceUID={first.SeriesInstanceUID}")
    asked = {
        "STUDY": (*study, "-k", "NumberOfStudyRelatedInstances"),
        "SERIES": (*study, "-k", "SeriesInstanceUID", "-k", "Modality"),
        "IMAGE": (*of_series, "-k", "SOPInstanceUID"),
    }
    expected = {"STUDY": 1, "SERIES": 1, "IMAGE": len(series)}
    answers: list[Dataset] = []
    for level, keys in asked.items():
        folder = tmp_path / level
        folder.mkdir()
        options = ("-S", "-X", "-od", str(folder), "-k", f"QueryRetrieveLevel={level}", *keys)
        done = site.dcmtk("findscu", *options)
        assert done.returncode == 0, done.stderr
        answers = [dcmread(path, force=True) for path in folder.iterdir()]
        assert len(answers) == expected[level]
    assert {str(ds.SOPInstanceUID) for ds in answers} == uids(series)


@pytest.mark.service("C-MOVE answered", "Orthanc")
def test_orthanc_moves_a_study_to_itself(site: Site, series: list[Dataset], tmp_path: Path) -> None:
    keep(site, series, tmp_path)
    before = len(site.orthanc.instances_of_modality("CT"))
    query = site.orthanc.find("NODE", "Study", StudyInstanceUID=str(series[0].StudyInstanceUID))
    site.orthanc.retrieve(query)
    assert len(site.orthanc.instances_of_modality("CT")) == before + len(series)


@WITHOUT_TLS
@pytest.mark.service("C-MOVE answered", "DCMTK movescu, storescp")
def test_movescu_has_a_study_sent_to_storescp(
    site: Site, series: list[Dataset], tmp_path: Path
) -> None:
    keep(site, series[1:], tmp_path / "plain")
    compressed = written([in_syntax(series[0], RLELossless)], tmp_path / "rle")
    assert site.dcmtk("storescu", "-xr", *compressed).returncode == 0
    done = site.dcmtk(
        *("movescu", "-S", "-aem", "DCMTK", "-k", "QueryRetrieveLevel=STUDY"),
        *("-k", f"StudyInstanceUID={series[0].StudyInstanceUID}"),
    )
    assert done.returncode == 0, done.stderr
    came = {dcmread(f).SOPInstanceUID for f in site.storescp_folder.iterdir()}
    assert uids(series) <= came


@WITHOUT_TLS
@pytest.mark.service("C-GET answered", "DCMTK getscu")
def test_getscu_gets_a_series(site: Site, series: list[Dataset], tmp_path: Path) -> None:
    keep(site, series, tmp_path / "outgoing")
    folder = tmp_path / "came"
    folder.mkdir()
    done = site.dcmtk(
        *("getscu", "-S", "-od", str(folder), "-k", "QueryRetrieveLevel=SERIES"),
        *("-k", f"StudyInstanceUID={series[0].StudyInstanceUID}"),
        *("-k", f"SeriesInstanceUID={series[0].SeriesInstanceUID}"),
    )
    assert done.returncode == 0, done.stderr
    assert {dcmread(f).SOPInstanceUID for f in folder.iterdir()} == uids(series)


@pytest.mark.service("C-MOVE answered", "pynetdicom, storescp")
def test_a_study_moves_to_storescp(site: Site, series: list[Dataset], tmp_path: Path) -> None:
    keep(site, series, tmp_path)
    ds = identifier(StudyInstanceUID=series[0].StudyInstanceUID)
    with site.called([build_context(STUDY_ROOT_MOVE)]) as association:
        *_, (status, _) = association.send_c_move(ds, "DCMTK", STUDY_ROOT_MOVE)
    assert status.Status == 0x0000
    assert uids(series) <= {dcmread(f).SOPInstanceUID for f in site.storescp_folder.iterdir()}


@pytest.mark.service("C-GET answered", "pynetdicom")
def test_a_study_comes_over_the_same_association(
    site: Site, series: list[Dataset], tmp_path: Path
) -> None:
    keep(site, series, tmp_path)
    came = set()

    def on_store(event: evt.Event) -> int:
        came.add(str(event.dataset.SOPInstanceUID))
        return 0x0000

    ds = identifier(StudyInstanceUID=series[0].StudyInstanceUID)
    contexts = [build_context(STUDY_ROOT_GET), build_context(CTImageStorage)]
    roles = [build_role(CTImageStorage, scp_role=True)]
    with site.called(contexts, roles=roles) as association:
        association.bind(evt.EVT_C_STORE, on_store)
        *_, (status, _) = association.send_c_get(ds, STUDY_ROOT_GET)
    assert status.Status == 0x0000
    assert came == uids(series)
