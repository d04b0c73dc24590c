from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from app.clinic import wait_for
from core.tables import audit
from dicom_node.network import services
from dicom_node.network.contexts import STUDY_ROOT_FIND
from dicom_node.network.query import matches_of
from tests.dicom_node.nodes import associated
from tests.dicom_node.serving import Serving, serving_node
from tests.support.settings import peer_values
from tests.support.synthetic_dicom import ct_series, rtdose, rtstruct

ANNA = {
    "PatientName": "Müller^Anna",
    "PatientID": "A-1",
    "PatientBirthDate": "19570301",
    "StudyDate": "20260105",
    "StudyTime": "101500",
    "StudyID": "S1",
    "AccessionNumber": "ACC1",
    "StudyDescription": "Lung planning",
}
OTTO = {
    "PatientName": "Otto^Karl",
    "PatientID": "B-2",
    "PatientBirthDate": "19610704",
    "StudyDate": "20260720",
    "StudyTime": "083000",
    "StudyID": "S2",
    "AccessionNumber": "ACC2",
    "StudyDescription": "Breast planning",
}


def of(patient: dict[str, str], datasets: list[Dataset]) -> list[Dataset]:
    for ds in datasets:
        ds.SpecificCharacterSet = "ISO_IR 192"
        for keyword, value in patient.items():
            setattr(ds, keyword, value)
    return datasets


@pytest.fixture(scope="module")
def held() -> dict[str, list[Dataset]]:
    anna = ct_series(shape=(4, 8, 8), patient="A")
    otto = ct_series(shape=(3, 8, 8), patient="B")
    return {
        "anna": of(ANNA, anna),
        "anna_rt": of(
            {**ANNA, "StudyInstanceUID": anna[0].StudyInstanceUID},
            [rtstruct(anna, {"Heart": []}), rtdose(lambda x, _y, _z: 2 + 0 * x, ct=anna[0])],
        ),
        "otto": of(OTTO, otto),
    }


@pytest.fixture(scope="module")
def node(
    tmp_path_factory: pytest.TempPathFactory, held: dict[str, list[Dataset]]
) -> Iterator[Serving]:
    peers = [peer_values("TPS"), peer_values("MUTE", rights=["echo", "store"])]
    with serving_node(tmp_path_factory.mktemp("query"), *peers) as serving:
        serving.hold([ds for several in held.values() for ds in several])
        yield serving


def found(
    node: Serving, level: str = "STUDY", *, calling: str = "TPS", **keys: Any
) -> tuple[int | None, list[Dataset]]:
    """The last status of a C-FIND and the matches before it."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    with associated(node, calling=calling, sop_classes=[STUDY_ROOT_FIND]) as association:
        answers = list(association.send_c_find(ds, STUDY_ROOT_FIND))
    matches = [identifier for _, identifier in answers if identifier is not None]
    return getattr(answers[-1][0], "Status", None), matches


def patients(node: Serving, **keys: Any) -> list[str]:
    status, matches = found(node, **{"PatientID": "", **keys})
    assert status == 0x0000
    return sorted(str(match.PatientID) for match in matches)


def test_every_study_is_found_by_a_universal_query(node: Serving) -> None:
    assert patients(node) == ["A-1", "B-2"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"PatientID": "A-1"}, ["A-1"]),
        ({"PatientID": "a-1"}, []),
        ({"PatientID": "A*"}, ["A-1"]),
        ({"PatientID": "?-2"}, ["B-2"]),
        ({"PatientID": "*"}, ["A-1", "B-2"]),
        ({"PatientID": "A.1"}, []),
        ({"PatientName": "müller^anna"}, ["A-1"]),
        ({"PatientName": "OTTO*"}, ["B-2"]),
        ({"StudyDate": "20260105"}, ["A-1"]),
        ({"StudyDate": "20260101-20260131"}, ["A-1"]),
        ({"StudyDate": "20260106-"}, ["B-2"]),
        ({"StudyDate": "-20260105"}, ["A-1"]),
        ({"StudyTime": "10-11"}, ["A-1"]),
        ({"StudyTime": "-0830"}, ["B-2"]),
        ({"AccessionNumber": "ACC2"}, ["B-2"]),
        ({"StudyDescription": "*planning"}, ["A-1", "B-2"]),
        ({"ModalitiesInStudy": "RTDOSE"}, ["A-1"]),
        ({"ModalitiesInStudy": "CT"}, ["A-1", "B-2"]),
        ({"PatientBirthDate": "1950-1960"}, ["A-1"]),
        ({"PatientID": "A-1", "StudyDate": "20260720"}, []),
    ],
    ids=str,
)
def test_keys_are_matched_as_their_vr_says(
    node: Serving, keys: dict[str, str], expected: list[str]
) -> None:
    assert patients(node, **keys) == expected


def test_a_study_is_answered_with_its_counts(node: Serving, held: dict[str, list[Dataset]]) -> None:
    _, (match,) = found(
        node,
        PatientID="A-1",
        PatientName="",
        ModalitiesInStudy="",
        NumberOfStudyRelatedSeries="",
        NumberOfStudyRelatedInstances="",
        StudyTime="",
        InstitutionName="",
    )
    assert match.NumberOfStudyRelatedInstances == 6
    assert match.NumberOfStudyRelatedSeries == 3
    assert sorted(match.ModalitiesInStudy) == ["CT", "RTDOSE", "RTSTRUCT"]
    assert match.PatientName == "Müller^Anna"
    assert match.StudyTime == "101500"
    assert match.StudyInstanceUID == held["anna"][0].StudyInstanceUID
    assert match.RetrieveAETitle == "RECONTOUR"
    assert "InstitutionName" not in match  # not kept in the tables, so not returned


def test_the_series_of_a_study_are_found_with_their_counts(
    node: Serving, held: dict[str, list[Dataset]]
) -> None:
    study = held["anna"][0].StudyInstanceUID
    keys = {"Modality": "", "NumberOfSeriesRelatedInstances": "", "SeriesNumber": ""}
    _, matches = found(node, "SERIES", StudyInstanceUID=study, **keys)
    assert {m.Modality: m.NumberOfSeriesRelatedInstances for m in matches} == {
        "CT": 4,
        "RTSTRUCT": 1,
        "RTDOSE": 1,
    }
    _, (ct,) = found(node, "SERIES", StudyInstanceUID=study, Modality="CT")
    assert ct.SeriesInstanceUID == held["anna"][0].SeriesInstanceUID


def test_the_instances_of_a_series_are_found(node: Serving, held: dict[str, list[Dataset]]) -> None:
    first = held["otto"][0]
    above = {
        "StudyInstanceUID": first.StudyInstanceUID,
        "SeriesInstanceUID": first.SeriesInstanceUID,
    }
    _, matches = found(node, "IMAGE", **above, SOPInstanceUID="", InstanceNumber="")
    assert {m.SOPInstanceUID: m.InstanceNumber for m in matches} == {
        ds.SOPInstanceUID: ds.InstanceNumber for ds in held["otto"]
    }
    several = [str(ds.SOPInstanceUID) for ds in held["otto"][:2]]
    _, listed = found(node, "IMAGE", **above, SOPInstanceUID=several)
    assert sorted(m.SOPInstanceUID for m in listed) == sorted(several)
    _, (numbered,) = found(node, "IMAGE", **above, InstanceNumber="2")
    assert numbered.SOPInstanceUID == held["otto"][1].SOPInstanceUID


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("SERIES", {}),
        ("SERIES", {"StudyInstanceUID": ["1.2", "1.3"]}),
        ("IMAGE", {"StudyInstanceUID": "1.2"}),
        ("STUDY", {"SeriesInstanceUID": "1.2.3"}),
        ("PATIENT", {"PatientID": "A-1"}),
        ("", {}),
    ],
    ids=str,
)
def test_an_identifier_that_breaks_the_model_is_answered_a900(
    node: Serving, level: str, keys: dict[str, Any]
) -> None:
    assert found(node, level, **keys) == (0xA900, [])


def test_who_has_no_right_to_query_learns_nothing(node: Serving) -> None:
    assert found(node, calling="MUTE", PatientID="") == (0x0124, [])


def test_more_matches_than_allowed_do_not_end_with_success(
    node: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may take a part of the list for the whole."""
    monkeypatch.setattr("dicom_node.network.services.MOST_MATCHES", 1)
    status, matches = found(node, PatientID="")
    assert (status, len(matches)) == (0xA700, 1)


def test_a_cancelled_query_ends_as_cancelled(
    node: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def slowly(*arguments: Any, **keywords: Any) -> Iterator[Dataset]:
        begun.set()
        association: Any = threading.current_thread()
        cancelled = lambda: association.dimse.cancel_req  # noqa: E731
        wait_for(cancelled, timeout_s=60, what="the cancel", every_s=0.01)
        yield from matches_of(*arguments, **keywords)

    monkeypatch.setattr(services, "matches_of", slowly)
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    with associated(node, sop_classes=[STUDY_ROOT_FIND]) as association:
        answers = association.send_c_find(identifier, STUDY_ROOT_FIND, msg_id=7)
        # pynetdicom forgets a cancel that overtakes the beginning of the work.
        assert begun.wait(60)
        association.send_c_cancel(7, query_model=STUDY_ROOT_FIND)
        assert [status.Status for status, _ in answers] == [0xFE00]


def test_what_was_kept_aside_is_not_found(tmp_path: Path) -> None:
    with serving_node(tmp_path, peer_values("TPS")) as node:
        (ds,) = of(ANNA, ct_series()[:1])
        node.hold([ds])
        ds.PatientID = "SOMEBODY ELSE"
        node.hold([ds])
        _, (match,) = found(node, PatientID="", NumberOfStudyRelatedInstances="")
        assert (match.PatientID, match.NumberOfStudyRelatedInstances) == ("A-1", 1)


def test_a_number_that_is_none_does_not_stop_the_answer(tmp_path: Path) -> None:
    with serving_node(tmp_path, peer_values("TPS")) as node:
        (ds,) = of(ANNA, ct_series()[:1])
        ds["SeriesNumber"]._value = "two"
        node.hold([ds])
        status, (match,) = found(
            node, "SERIES", StudyInstanceUID=ds.StudyInstanceUID, SeriesNumber=""
        )
        assert (status, match.SeriesNumber) == (0x0000, None)


def test_a_query_is_audited_and_names_nobody_in_a_log(
    node: Serving, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        found(node, PatientName="Müller*")
        found(node, "SERIES", PatientName="Müller*")
    out, err = capfd.readouterr()
    assert "ller" not in caplog.text + out + err
    with node.store.engine.connect() as connection:
        rows = connection.execute(audit.select().order_by(audit.c.id.desc()).limit(2)).all()
    assert [(row.who, row.event) for row in rows] == [("TPS", "dicom.query")] * 2
    assert rows[0].detail == {"level": "SERIES"}
