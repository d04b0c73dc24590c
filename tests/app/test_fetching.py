"""A CT that was not pushed is fetched, and becomes a case as if it had been."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from app.cli import app
from app.room import Room
from core.config import load_settings
from core.query_store import Scope
from core.store import open_store
from core.tables import audit
from tests.dicom_node.serving import Serving, serving_node
from tests.support.settings import free_port, peer_values, write_config
from tests.support.synthetic_dicom import ct_series, rtdose, rtstruct

PATIENT = "P-77"


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[Serving]:
    """A PACS that knows a node, RECONTOUR, where nobody listens."""
    peers = [peer_values("RECONTOUR", port=free_port()), peer_values("TPS")]
    with serving_node(tmp_path / "pacs", *peers) as serving:
        yield serving


@pytest.fixture
def config(tmp_path: Path, pacs: Serving) -> Path:
    (tmp_path / "node").mkdir()
    return write_config(
        tmp_path / "node",
        peers=[
            {**peer_values("RECONTOUR", port=pacs.port), "name": "PACS"},
            peer_values("TPS", port=free_port()),
        ],
        disk_reserve_mb=1,
    )


def fetched(config: Path, *arguments: str) -> tuple[int, str]:
    command = ["fetch", "--from", "PACS", "--config", str(config), *arguments]
    done = CliRunner().invoke(app, command, catch_exceptions=True)
    return done.exit_code, done.output + str(done.exception or "")


def held(config: Path, datasets: Sequence[Dataset]) -> bool:
    settings = load_settings(config)
    scope = Scope(sop_instance_uids=tuple(str(ds.SOPInstanceUID) for ds in datasets))
    return len(open_store(settings).query.instances(scope)) == len(datasets)


def test_a_study_is_fetched_even_where_the_peer_cannot_reach_us(
    pacs: Serving, config: Path
) -> None:
    ct = ct_series(patient=PATIENT)
    study = [*ct, rtstruct(ct, {"Heart": []}), rtdose(lambda x, _y, _z: 2 + 0 * x, ct=ct[0])]
    pacs.hold(study)
    code, output = fetched(config, "--study", str(ct[0].StudyInstanceUID))
    assert code == 0, output
    assert held(config, study)
    room = Room(load_settings(config), open_store(load_settings(config)))
    assert len(room.store.cases.all()) == 1
    with room.store.engine.connect() as connection:
        rows = connection.execute(audit.select().where(audit.c.event == "dicom.fetched")).all()
    assert sum(row.detail["instances"] for row in rows) == len(study)


def test_of_several_studies_one_must_be_named(pacs: Serving, config: Path) -> None:
    first, second = ct_series(patient="A"), ct_series(patient="B")
    for ds in (*first, *second):
        ds.PatientID, ds.PatientName = PATIENT, "SECRET^NAME"
    pacs.hold([*first, *second])
    code, output = fetched(config, "--patient-id", PATIENT)
    assert code == 1
    assert "2 studies fit" in output
    assert "SECRET" not in output
    assert not held(config, first)
    code, _ = fetched(config, "--study", str(first[0].StudyInstanceUID))
    assert code == 0
    assert held(config, first)
    assert not held(config, second)


def test_one_series_alone_is_fetched(pacs: Serving, config: Path) -> None:
    ct = ct_series(patient=PATIENT)
    dose = rtdose(lambda x, _y, _z: 2 + 0 * x, ct=ct[0])
    pacs.hold([*ct, dose])
    uids = ("--study", str(ct[0].StudyInstanceUID), "--series", str(dose.SeriesInstanceUID))
    code, output = fetched(config, *uids, "--get")
    assert code == 0, output
    assert held(config, [dose])
    assert not held(config, ct)


def test_what_nobody_has_is_told(config: Path) -> None:
    code, output = fetched(config, "--study", "1.2.3")
    assert code == 1
    assert "PACS has no study that fits" in output


def test_everything_is_not_fetched(config: Path) -> None:
    code, output = fetched(config)
    assert code != 0
    assert "Name a study" in output


def test_a_peer_is_asked_by_its_name(config: Path, pacs: Serving) -> None:
    echo = ["echo", "PACS", "--config", str(config)]
    assert CliRunner().invoke(app, echo).output == "PACS answers.\n"
    gone = CliRunner().invoke(app, ["echo", "TPS", "--config", str(config)])
    assert "nobody answers there" in str(gone.exception)
    wrong = CliRunner().invoke(app, [*echo, "--calling", "STRANGER"])
    assert "Calling AE title not recognised" in str(wrong.exception)
