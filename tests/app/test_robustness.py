"""What goes wrong stays small: one bad row, one dead peer, one late slice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
import torch
from pydicom import dcmread
from pydicom.uid import UID

from app import delivering, intake, judging, predicting
from app.clinic import running_tps
from app.clinic_dicom import SyntheticPatient, write_patient
from app.judging import network_config
from app.room import SOFTWARE_VERSION, Room
from core.case import CaseState
from core.config import load_settings
from core.errors import ConfigError
from core.geometry import Mask
from core.journal import encode_runs
from core.rasterise import contours_of_mask
from core.records import JournalEntry
from dicom_node.objects.rtstruct_reader import read_structure_set
from model.cascade import Cascade
from model.predict import Predictor
from model.registry import ModelDescription, publish
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive
from tests.support.settings import free_port, peer_values, write_config

SPACING_MM = (6.0, 6.0, 6.0)


@pytest.fixture
def patient(tmp_path: Path) -> SyntheticPatient:
    return write_patient(tmp_path / "patient", 3, spacing_mm=SPACING_MM)


def deliver_all(room: Room) -> None:
    for row in room.store.deliveries.due(now=room.now()):
        delivering.deliver(room, row.id)


def released_model(room: Room) -> str:
    """A network with random weights, as if it had been released."""
    torch.manual_seed(1)
    config = network_config(room.settings, "Heart")
    network = Cascade(config)
    described = ModelDescription(
        "Heart", config, SOFTWARE_VERSION, None, (), {}, "2026-01-01T00:00:00+00:00"
    )
    return publish(room.models_folder, network.state_dict(), described)


def test_a_slice_that_comes_during_the_review_does_not_hold_the_delivery(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    port = free_port()
    room = open_room(tmp_path, destination_port=port)
    receive(room, list(patient.ct_paths[:-1]))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    mask = patient.phantom.heart[:-1]
    approve_mask(room, case.id, mask, before_approval=lambda: receive(room, [patient.ct_paths[-1]]))
    with running_tps(tmp_path / "tps", ae_title="TPS", port=port) as tps:
        deliver_all(room)
    (row,) = room.store.deliveries.all()
    assert row.state == "SENT", row.last_error
    assert len(tps.received) == 1


def test_a_structure_set_that_does_not_read_back_is_never_offered(
    tmp_path: Path, patient: SyntheticPatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = open_room(tmp_path)
    receive(room, list(patient.ct_paths))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    approved = approve_mask(room, case.id, patient.phantom.heart)

    def shifted(mask: Mask, geometry: object) -> object:
        return contours_of_mask(np.roll(mask, 2, axis=2), geometry)  # type: ignore[arg-type]

    monkeypatch.setattr("dicom_node.objects.contour_writer.contours_of_mask", shifted)
    deliver_all(room)
    (row,) = room.store.deliveries.all()
    assert row.state == "HELD"
    assert not room.store.files.structure_set_path(case.id, approved.id).exists()
    monkeypatch.undo()
    room.store.deliveries.release_held(now=room.now())
    deliver_all(room)
    (row,) = room.store.deliveries.all()
    assert row.state == "QUEUED"  # written now; the destination of this test is down
    assert room.store.files.structure_set_path(case.id, approved.id).exists()


def test_another_patient_s_dose_on_the_same_frame_of_reference_is_not_used(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    ds = dcmread(patient.dose_path)
    ds.PatientID = "SOMEBODY ELSE"
    ds.save_as(patient.dose_path)
    room = open_room(tmp_path)
    receive(room, [*patient.ct_paths, patient.dose_path])
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    assert room.store.instances.attached(case.id, kind="dose") == []
    (why,) = room.store.instances.refusals(case.id)
    assert "another Patient ID" in why
    assert "SOMEBODY" not in why


def test_a_structure_set_of_a_sibling_series_is_not_painted_on_this_one(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    room = open_room(tmp_path)
    receive(room, list(patient.ct_paths))
    sibling = [tmp_path / f"sibling{k}.dcm" for k in range(len(patient.ct_paths))]
    for source, target in zip(patient.ct_paths, sibling, strict=True):
        ds = dcmread(source)
        ds.SeriesInstanceUID = f"{ds.SeriesInstanceUID}.9"
        ds.SOPInstanceUID = UID(f"{ds.SOPInstanceUID}.9")
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.save_as(target)
    receive(room, sibling)
    bring_up_to_date(room)
    by_series = {c.series_instance_uid: c for c in room.store.cases.all()}
    drawn_on = by_series[patient.series_instance_uid]
    approved = approve_mask(room, drawn_on.id, patient.phantom.heart)
    deliver_all(room)
    drawn = room.store.files.structure_set_path(drawn_on.id, approved.id)
    assert read_structure_set(drawn).roi_named("Heart") is not None
    receive(room, [drawn])
    bring_up_to_date(room)
    for series, case in by_series.items():
        joined = room.store.instances.attached(case.id, kind="structure_set")
        assert len(joined) == (1 if series == patient.series_instance_uid else 0)


def test_a_prediction_that_is_recorded_is_never_written_again(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    room = open_room(tmp_path)
    receive(room, list(patient.ct_paths))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    version = released_model(room)
    predictor = Predictor(room.settings.model)
    first = predicting.predict(room, predictor, case.id, "Heart", version)
    path = room.store.files.folder(case.id) / f"prediction-{first}.mask"
    before = path.stat().st_mtime_ns
    assert predicting.predict(room, predictor, case.id, "Heart", version) == first
    assert path.stat().st_mtime_ns == before


def test_a_disk_that_cannot_be_read_for_a_moment_does_not_fail_the_case(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    room = open_room(tmp_path)
    receive(room, list(patient.ct_paths))
    (case,) = room.store.cases.all()
    instances = room.settings.data_folder / "instances"
    instances.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        intake.assemble(room, case.id, patient.series_instance_uid)
    (tmp_path / "away").rename(instances)
    assert room.store.quarantine.count() == 0
    assert room.store.cases.get(case.id).state is CaseState.RECEIVING
    bring_up_to_date(room)
    assert room.store.cases.get(case.id).state is CaseState.ASSEMBLED


def test_a_failed_case_is_tried_again_when_somebody_asks(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    room = open_room(tmp_path)
    receive(room, [*patient.ct_paths[:10], *patient.ct_paths[11:]])
    bring_up_to_date(room)
    assert room.store.instances.series_due(quiet_since=room.now()) == []
    assert room.store.cases.retry_failed(now=room.now()) == 1
    assert len(room.store.instances.series_due(quiet_since=room.now())) == 1


def test_a_destination_that_does_not_exist_is_a_failed_try_with_its_reason(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    room = open_room(tmp_path, destination_host="no.such.host.invalid")
    receive(room, list(patient.ct_paths))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    approve_mask(room, case.id, patient.phantom.heart)
    deliver_all(room)
    (row,) = room.store.deliveries.all()
    assert (row.state, row.attempts) == ("QUEUED", 1)
    assert "no.such.host.invalid" in row.last_error
    assert room.store.deliveries.due(now=room.now()) == []


def test_a_correction_that_cannot_be_read_is_left_out_not_a_stop_to_learning(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    room = open_room(tmp_path)
    receive(room, list(patient.ct_paths))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    approved = approve_mask(room, case.id, patient.phantom.heart)
    bring_up_to_date(room)
    (room.store.files.folder(case.id) / f"correction-{approved.id}.mask").unlink()
    train = room.store.learning.learning_set("Heart").train
    assert [c.id for c in train] == [approved.id]
    assert judging.readable_cases(room, train, room.settings.model) == []


def test_two_destinations_of_one_name_are_refused_at_start(tmp_path: Path) -> None:
    twice = [peer_values()] * 2
    with pytest.raises(ConfigError, match="peers: each entry needs a name of its own"):
        load_settings(write_config(tmp_path, peers=twice))


def test_no_patient_identity_stands_in_a_database_error(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    insert = sa.text("insert into account (username) values (:name)")
    with (
        pytest.raises(sa.exc.IntegrityError) as caught,
        room.store.engine.begin() as connection,
    ):
        connection.execute(insert, {"name": "Doe^Jane"})
    assert "Doe" not in str(caught.value)


def test_what_the_node_keeps_is_for_its_own_account_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    room = open_room(tmp_path)
    assert room.settings.data_folder == data
    assert data.stat().st_mode & 0o077 == 0


def test_a_row_of_a_newer_version_is_still_read(tmp_path: Path, patient: SyntheticPatient) -> None:
    room = open_room(tmp_path)
    receive(room, [patient.ct_paths[0]])
    with room.store.engine.begin() as connection:
        header = json.loads(str(connection.scalar(sa.text("select header from instance"))))
        header["something_new"] = 1
        connection.execute(
            sa.text("update instance set header = :header"), {"header": json.dumps(header)}
        )
    assert len(room.store.instances.of_series(patient.series_instance_uid)) == 1


def test_a_case_that_was_only_looked_at_still_gets_what_the_model_proposes_later(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    room = open_room(tmp_path)
    receive(room, list(patient.ct_paths))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()

    def opened() -> str | None:
        room.store.reviews.open(case.id, "Heart", who="anna", tab="t", now=room.now(), lock_s=60)
        return room.store.reviews.base_prediction(case.id, "Heart")

    assert opened() is None
    version = released_model(room)
    assert [c.id for c in room.store.cases.to_predict("Heart", version)] == [case.id]
    made = predicting.predict(room, Predictor(room.settings.model), case.id, "Heart", version)
    assert room.store.reviews.base_prediction(case.id, "Heart") is None
    assert opened() == made
    entry = JournalEntry(1, "stroke", {"tool": "add", "runs": encode_runs([5])})
    room.store.reviews.append(case.id, "Heart", entry, who="anna", tab="t", now=room.now())
    assert room.store.cases.to_predict("Heart", "0" * 64) == []
    assert opened() == made
