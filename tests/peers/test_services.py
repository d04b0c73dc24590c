"""Every service before every peer, with TLS and without: the table of `make peers`.

DCMTK has no program for storage commitment; there pynetdicom is the foreign peer beside Orthanc.
DCMTK's movescu, getscu and dcmqrscp speak TLS through a tunnel. This half: the node answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, JPEGLossless
from pynetdicom import build_context, build_role, evt

from dicom_node.network.contexts import (
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    STUDY_ROOT_GET,
    TRANSFER_SYNTAXES,
)
from tests.dicom_node.test_commitment import information, reference, wait_until
from tests.dicom_node.test_retrieve import identifier
from tests.peers.encodings import encoded_file, proposing
from tests.peers.site import Site
from tests.support.synthetic_dicom import ct_series, written

pytestmark = [pytest.mark.peer, pytest.mark.slow]


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


@pytest.mark.service("C-STORE received, every syntax", "DCMTK storescu")
@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES, ids=lambda uid: uid.keyword)
def test_storescu_sends_each_syntax(
    site: Site, series: list[Dataset], tmp_path: Path, syntax: UID
) -> None:
    before = series[0].pixel_array.copy()
    path = encoded_file(series[0], syntax, tmp_path)
    assert dcmread(path).file_meta.TransferSyntaxUID == syntax
    sent = site.dcmtk("storescu", *proposing(path, tmp_path), path)
    assert sent.returncode == 0, sent.stderr
    (row,) = site.room.store.instances.find(path.stem)
    kept = dcmread(site.room.path(row.path))
    assert kept.file_meta.TransferSyntaxUID == syntax
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


@dataclass(frozen=True)
class Encoded:
    """A study that the node holds with one instance in each transfer syntax."""

    study_instance_uid: str
    syntaxes: dict[str, UID]
    pixels: dict[str, npt.NDArray[Any]]

    def require_whole(self, came: Mapping[str, Dataset], *, taken: Sequence[UID]) -> None:
        """Every instance came with its pixels; uncompressed where its syntax is not taken."""
        assert came.keys() == self.syntaxes.keys()
        for uid, ds in came.items():
            own = self.syntaxes[uid]
            assert ds.file_meta.TransferSyntaxUID == (
                own if own in taken else ExplicitVRLittleEndian
            )
            assert np.array_equal(ds.pixel_array.astype(int), self.pixels[uid])


@pytest.fixture
def encoded(site: Site, request: pytest.FixtureRequest, tmp_path: Path) -> Encoded:
    name = request.node.name
    slices = ct_series(shape=(len(TRANSFER_SYNTAXES), 32, 24), name=name, patient=name[-60:])
    pixels = {str(ds.SOPInstanceUID): ds.pixel_array.astype(int) for ds in slices}
    syntaxes = {}
    for ds, syntax in zip(slices, TRANSFER_SYNTAXES, strict=True):
        path = encoded_file(ds, syntax, tmp_path / "outgoing")
        sent = site.dcmtk("storescu", *proposing(path, tmp_path), path)
        assert sent.returncode == 0, sent.stderr
        syntaxes[path.stem] = syntax
    return Encoded(str(slices[0].StudyInstanceUID), syntaxes, pixels)


@pytest.mark.service("C-MOVE answered, every syntax", "DCMTK movescu, storescp")
def test_movescu_has_a_study_sent_to_storescp_as_it_is_kept(site: Site, encoded: Encoded) -> None:
    done = site.dcmtk(
        *("movescu", "-S", "-aem", "DCMTK", "-k", "QueryRetrieveLevel=STUDY"),
        *("-k", f"StudyInstanceUID={encoded.study_instance_uid}"),
    )
    assert done.returncode == 0, done.stderr
    found = [dcmread(path) for path in site.storescp_folder.iterdir()]
    came = {str(ds.SOPInstanceUID): ds for ds in found if ds.SOPInstanceUID in encoded.syntaxes}
    # Of JPEG lossless it takes selection value 1 alone.
    encoded.require_whole(came, taken=[s for s in TRANSFER_SYNTAXES if s != JPEGLossless])


@pytest.mark.service("C-GET answered, decompressed", "DCMTK getscu")
def test_getscu_gets_a_study_that_it_takes_uncompressed_alone(
    site: Site, encoded: Encoded, tmp_path: Path
) -> None:
    folder = tmp_path / "came"
    folder.mkdir()
    done = site.dcmtk(
        *("getscu", "-S", "-od", str(folder), "-k", "QueryRetrieveLevel=STUDY"),
        *("-k", f"StudyInstanceUID={encoded.study_instance_uid}"),
    )
    assert done.returncode == 0, done.stderr
    found = [dcmread(path) for path in folder.iterdir()]
    came = {str(ds.SOPInstanceUID): ds for ds in found}
    encoded.require_whole(came, taken=[ExplicitVRLittleEndian])


@pytest.mark.service("C-GET answered, every syntax", "pynetdicom")
def test_a_study_comes_over_the_same_association_as_it_is_kept(
    site: Site, encoded: Encoded
) -> None:
    came = {}

    def on_store(event: evt.Event) -> int:
        ds = event.dataset
        ds.file_meta = event.file_meta
        came[str(ds.SOPInstanceUID)] = ds
        return 0x0000

    ds = identifier(StudyInstanceUID=encoded.study_instance_uid)
    contexts = [build_context(CTImageStorage, [syntax]) for syntax in TRANSFER_SYNTAXES]
    roles = [build_role(CTImageStorage, scp_role=True)]
    with site.called([build_context(STUDY_ROOT_GET), *contexts], roles=roles) as association:
        association.bind(evt.EVT_C_STORE, on_store)
        *_, (status, _) = association.send_c_get(ds, STUDY_ROOT_GET)
    assert status.Status == 0x0000
    encoded.require_whole(came, taken=TRANSFER_SYNTAXES)
