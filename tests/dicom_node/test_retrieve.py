from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    RTStructureSetStorage,
)
from pynetdicom import AE, build_context, build_role, evt

from core.tables import audit
from dicom_node.network.contexts import STUDY_ROOT_GET, STUDY_ROOT_MOVE, TRANSFER_SYNTAXES
from tests.dicom_node.nodes import associated
from tests.dicom_node.serving import Foreign, Serving, foreign_ae, serving_node
from tests.support.encodings import in_syntax
from tests.support.settings import free_port, peer_values
from tests.support.synthetic_dicom import ct_series, rtstruct

PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
ENCODED = (RLELossless, JPEGLSLossless, JPEG2000Lossless)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def node(tmp_path: Path, port: int) -> Iterator[Serving]:
    peers = [
        peer_values("TPS"),
        peer_values("PACS", port=port),
        peer_values("MUTE", rights=["echo", "store"]),
    ]
    with serving_node(tmp_path, *peers) as serving:
        yield serving


def identifier(level: str = "STUDY", **keys: Any) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


def moved(node: Serving, ds: Dataset, *, to: str = "PACS", calling: str = "TPS") -> Dataset:
    """The last answer to a C-MOVE."""
    with associated(node, calling=calling, sop_classes=[STUDY_ROOT_MOVE]) as association:
        return [status for status, _ in association.send_c_move(ds, to, STUDY_ROOT_MOVE)][-1]


def got(
    node: Serving,
    ds: Dataset,
    *,
    calling: str = "TPS",
    syntaxes: Sequence[str] = TRANSFER_SYNTAXES,
    status: int = 0x0000,
) -> tuple[Dataset, Foreign]:
    """The last answer to a C-GET and what came."""
    came = Foreign(0)

    def on_store(event: evt.Event) -> int:
        came.stored.append(event.dataset)
        came.syntaxes.append(event.context.transfer_syntax)
        return status

    classes = (CTImageStorage, RTStructureSetStorage)
    contexts = [build_context(STUDY_ROOT_GET)]
    contexts += [build_context(c, [s]) for c in classes for s in syntaxes]
    association = AE(calling).associate(
        "127.0.0.1",
        node.port,
        contexts=contexts,
        ae_title="RECONTOUR",
        ext_neg=[build_role(c, scp_role=True) for c in classes],
        evt_handlers=[(evt.EVT_C_STORE, on_store)],
    )
    assert association.is_established
    answers = [status for status, _ in association.send_c_get(ds, STUDY_ROOT_GET)]
    association.release()
    return answers[-1], came


def pixels(ds: Dataset, syntax: str) -> Any:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    return ds.pixel_array


def uids(datasets: Sequence[Dataset]) -> set[str]:
    return {str(ds.SOPInstanceUID) for ds in datasets}


def test_a_study_moves_to_a_peer_of_the_configuration(node: Serving, port: int) -> None:
    ct = ct_series()
    ct_and_contours = [*ct, rtstruct(ct, {"Heart": []})]
    node.hold(ct_and_contours)
    with foreign_ae("PACS", port=port) as pacs:
        answer = moved(node, identifier(StudyInstanceUID=ct[0].StudyInstanceUID))
    assert answer.Status == 0x0000
    assert answer.NumberOfCompletedSuboperations == 7
    assert uids(pacs.stored) == uids(ct_and_contours)


def test_one_series_or_single_instances_move(node: Serving, port: int) -> None:
    ct = ct_series()
    node.hold([*ct, rtstruct(ct, {"Heart": []})])
    study = {"StudyInstanceUID": ct[0].StudyInstanceUID}
    series = {**study, "SeriesInstanceUID": ct[0].SeriesInstanceUID}
    two = [str(ds.SOPInstanceUID) for ds in ct[:2]]
    with foreign_ae("PACS", port=port) as pacs:
        assert moved(node, identifier("SERIES", **series)).Status == 0x0000
        assert uids(pacs.stored) == uids(ct)
        pacs.stored.clear()
        assert moved(node, identifier("IMAGE", **series, SOPInstanceUID=two)).Status == 0x0000
        assert uids(pacs.stored) == set(two)


@pytest.mark.parametrize("syntax", ENCODED, ids=lambda uid: uid.name)
@pytest.mark.parametrize("taken", [TRANSFER_SYNTAXES, PLAIN], ids=["all", "plain"])
def test_each_kept_syntax_reaches_a_peer_with_its_pixels(
    node: Serving, port: int, syntax: UID, taken: Sequence[str]
) -> None:
    ds = ct_series(shape=(2, 32, 24))[0]
    before = ds.pixel_array.copy()
    node.hold([in_syntax(ds, syntax)])
    with foreign_ae("PACS", port=port, syntaxes=taken) as pacs:
        answer = moved(node, identifier(StudyInstanceUID=ds.StudyInstanceUID))
    assert answer.Status == 0x0000
    ((came,), (came_in,)) = (pacs.stored, pacs.syntaxes)
    assert came_in == (syntax if taken is TRANSFER_SYNTAXES else ExplicitVRLittleEndian)
    assert np.array_equal(pixels(came, came_in), before)
    assert came.SOPInstanceUID == ds.SOPInstanceUID


@pytest.mark.parametrize("syntaxes", [TRANSFER_SYNTAXES, PLAIN], ids=["all", "plain"])
def test_get_brings_a_study_over_the_same_association(
    node: Serving, syntaxes: Sequence[str]
) -> None:
    plain, compressed = ct_series(shape=(2, 32, 24))
    before = compressed.pixel_array.copy()
    node.hold([plain, in_syntax(compressed, RLELossless)])
    answer, came = got(node, identifier(StudyInstanceUID=plain.StudyInstanceUID), syntaxes=syntaxes)
    assert answer.Status == 0x0000
    assert uids(came.stored) == uids([plain, compressed])
    by_uid = dict(
        zip(map(str, (d.SOPInstanceUID for d in came.stored)), came.syntaxes, strict=True)
    )
    last = next(d for d in came.stored if d.SOPInstanceUID == compressed.SOPInstanceUID)
    assert np.array_equal(pixels(last, by_uid[str(last.SOPInstanceUID)]), before)


def test_what_is_not_held_is_no_failure(node: Serving, port: int) -> None:
    with foreign_ae("PACS", port=port):
        assert moved(node, identifier(StudyInstanceUID="1.2.3")).Status == 0x0000
    assert got(node, identifier(StudyInstanceUID="1.2.3"))[0].Status == 0x0000


def test_nothing_moves_to_somebody_who_is_not_configured(node: Serving) -> None:
    ct = ct_series()
    node.hold(ct)
    ds = identifier(StudyInstanceUID=ct[0].StudyInstanceUID)
    assert moved(node, ds, to="STRANGER").Status == 0xA801


def test_a_destination_that_is_down_is_told(node: Serving) -> None:
    ct = ct_series()
    node.hold(ct)
    assert moved(node, identifier(StudyInstanceUID=ct[0].StudyInstanceUID)).Status == 0xA801


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("STUDY", {}),
        ("SERIES", {"StudyInstanceUID": "1.2"}),
        ("SERIES", {"SeriesInstanceUID": "1.2"}),
        ("IMAGE", {"StudyInstanceUID": "1.2", "SOPInstanceUID": "1.3"}),
        ("STUDY", {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"}),
        ("PATIENT", {"PatientID": "P1"}),
    ],
    ids=str,
)
def test_an_identifier_without_its_unique_keys_is_answered_a900(
    node: Serving, port: int, level: str, keys: dict[str, Any]
) -> None:
    """A study-wide retrieve for a forgotten key would be somebody else's patient."""
    node.hold(ct_series()[:1])
    with foreign_ae("PACS", port=port) as pacs:
        assert moved(node, identifier(level, **keys)).Status == 0xA900
    answer, came = got(node, identifier(level, **keys))
    assert (answer.Status, came.stored, pacs.stored) == (0xA900, [], [])


def test_who_has_no_right_to_query_gets_nothing(node: Serving, port: int) -> None:
    ct = ct_series()
    node.hold(ct)
    ds = identifier(StudyInstanceUID=ct[0].StudyInstanceUID)
    with foreign_ae("PACS", port=port) as pacs:
        assert moved(node, ds, calling="MUTE").Status == 0x0124
    answer, came = got(node, ds, calling="MUTE")
    assert (answer.Status, came.stored, pacs.stored) == (0x0124, [], [])


def test_what_could_not_be_sent_is_named(node: Serving, port: int) -> None:
    """A file that is gone, and one that the destination refuses."""
    gone, refused, *others = ct_series()
    node.hold([gone, refused, *others])
    (row,) = node.store.instances.find(gone.SOPInstanceUID)
    (node.settings.data_folder / row.path).unlink()

    def status(ds: Dataset) -> int:
        return 0xA700 if ds.SOPInstanceUID == refused.SOPInstanceUID else 0x0000

    ds = identifier(StudyInstanceUID=gone.StudyInstanceUID)
    with (
        foreign_ae("PACS", port=port, store_status=status),
        associated(node, sop_classes=[STUDY_ROOT_MOVE]) as association,
    ):
        *_, (answer, failures) = association.send_c_move(ds, "PACS", STUDY_ROOT_MOVE)
    assert answer.Status == 0xB000
    assert answer.NumberOfCompletedSuboperations == len(others)
    assert answer.NumberOfFailedSuboperations == 2
    assert failures is not None
    assert set(failures.FailedSOPInstanceUIDList) == uids([gone, refused])


def test_a_cancelled_retrieve_stops(node: Serving, port: int) -> None:
    ct = ct_series(shape=(30, 8, 8))
    node.hold(ct)
    ds = identifier(StudyInstanceUID=ct[0].StudyInstanceUID)
    statuses = []
    with (
        foreign_ae("PACS", port=port) as pacs,
        associated(node, sop_classes=[STUDY_ROOT_MOVE]) as association,
    ):
        for status, _ in association.send_c_move(ds, "PACS", STUDY_ROOT_MOVE, msg_id=5):
            statuses.append(status.Status)
            if len(statuses) == 2:
                association.send_c_cancel(5, query_model=STUDY_ROOT_MOVE)
    assert statuses[-1] == 0xFE00
    assert 0 < len(pacs.stored) < 30


def test_a_retrieve_is_audited_with_where_it_went(node: Serving, port: int) -> None:
    ct = ct_series()
    node.hold(ct)
    study = str(ct[0].StudyInstanceUID)
    with foreign_ae("PACS", port=port):
        moved(node, identifier(StudyInstanceUID=study))
    with node.store.engine.connect() as connection:
        rows = connection.execute(audit.select().where(audit.c.event.like("dicom.transfer%"))).all()
    assert [row.event for row in rows] == ["dicom.transfer_begun", "dicom.transferred"]
    assert all(row.who == "TPS" for row in rows)
    assert rows[0].detail == {"studies": [study], "instances": 6, "to": "PACS"}
