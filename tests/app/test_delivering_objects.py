"""A destination that asks for SEG and SR too gets all of them, or the delivery goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RTStructureSetStorage,
    SegmentationStorage,
)
from pynetdicom import AE, evt

from app.clinic_dicom import SyntheticPatient, write_patient
from app.delivering import deliver
from app.room import Room
from app.writing_derived import write_report, write_segs
from core.delivery_store import SENT
from core.records import Correction, Delivery
from tests.app.made_prediction import made_prediction
from tests.support.enhanced_ct import enhanced_ct
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive
from tests.support.synthetic_dicom import ct_series, written

ALL = ("RTSTRUCT", "SEG", "SR")
CLASSES = (RTStructureSetStorage, SegmentationStorage, Comprehensive3DSRStorage)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> SyntheticPatient:
    return write_patient(tmp_path_factory.mktemp("patient"), 3, spacing_mm=(6.0, 6.0, 6.0))


@contextmanager
def archive(answer: Callable[[Dataset], int]) -> Iterator[tuple[int, list[Dataset]]]:
    """A foreign SCP for every class we send; yields its port and what it was sent."""
    received: list[Dataset] = []

    def on_store(event: evt.Event) -> int:
        received.append(event.dataset)
        return answer(event.dataset)

    ae = AE(ae_title="TPS")
    for sop_class in CLASSES:
        ae.add_supported_context(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    handlers: list[Any] = [(evt.EVT_C_STORE, on_store)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield server.server_address[1], received
    finally:
        server.shutdown()
        ae.shutdown()


def approved_case(
    folder: Path,
    patient: SyntheticPatient,
    *,
    port: int | None = None,
    objects: tuple[str, ...] = ALL,
    dose: bool = True,
    predicted: bool = True,
) -> tuple[Room, Correction, Delivery]:
    """A case whose heart was predicted one slice short, and approved."""
    room = open_room(folder, destination_port=port, objects=objects)
    receive(room, [*patient.ct_paths, *([patient.dose_path] if dose else [])])
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    heart = patient.phantom.heart
    short = heart.copy()
    short[np.flatnonzero(heart.any(axis=(1, 2)))[-1]] = False
    if predicted:
        made_prediction(room, case.id, short)
    correction = approve_mask(room, case.id, heart)
    (delivery,) = room.store.deliveries.all()
    return room, correction, delivery


def _figures(report: Dataset) -> dict[str, dict[str, float]]:
    """Value by name, for each measurement group by its label."""
    found: dict[str, dict[str, float]] = {}
    for container in report.ContentSequence:
        for group in container.get("ContentSequence") or []:
            label = str(group.ContentSequence[0].TextValue)
            found[label] = {
                str(i.ConceptNameCodeSequence[0].CodeMeaning): float(
                    i.MeasuredValueSequence[0].NumericValue
                )
                for i in group.ContentSequence
                if i.ValueType == "NUM"
            }
    return found


def test_all_that_is_asked_for_goes_in_one_association(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    with archive(lambda _ds: 0x0000) as (port, received):
        room, correction, delivery = approved_case(tmp_path, patient, port=port)
        assert deliver(room, delivery.id) == SENT
    classes = [UID(ds.SOPClassUID) for ds in received]
    assert classes == [CLASSES[0], CLASSES[1], CLASSES[1], CLASSES[2]]
    rtstruct, predicted, corrected, report = received
    assert (predicted.ContentLabel, corrected.ContentLabel) == ("PREDICTION", "CORRECTION")
    assert len({ds.SOPInstanceUID for ds in received}) == 4
    assert len({ds.SeriesInstanceUID for ds in received}) == 4
    assert {ds.StudyInstanceUID for ds in received} == {rtstruct.StudyInstanceUID}
    assert room.store.deliveries.get(delivery.id).sop_instance_uid == rtstruct.SOPInstanceUID
    figures = room.store.cases.dose_figures(correction.case_id)
    means = {f.source: f.mean_gy for f in figures}
    assert means["prediction"] is not None
    assert means["correction"] is not None
    told = _figures(report)
    mean = "Mean Absorbed Radiation Dose"
    assert told["Heart, predicted"][mean] == pytest.approx(means["prediction"])
    assert told["Heart, corrected"][mean] == pytest.approx(means["correction"])
    assert told["Heart, corrected"]["Mean dose, corrected minus predicted"] == pytest.approx(
        means["correction"] - means["prediction"]
    )
    volumes = {f.source: f.volume_cc for f in figures}
    assert told["Heart, predicted"]["Volume"] == pytest.approx(volumes["prediction"])
    assert told["Heart, corrected"]["Volume"] == pytest.approx(volumes["correction"])


def test_one_refused_object_keeps_the_delivery_open_and_the_next_try_sends_the_same(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    full = [True]

    def answer(ds: Dataset) -> int:
        return 0xA700 if full and ds.Modality == "SR" else 0x0000

    with archive(answer) as (port, received):
        room, _, delivery = approved_case(tmp_path, patient, port=port)
        assert deliver(room, delivery.id) == "failed"
        kept = room.store.deliveries.get(delivery.id)
        assert (kept.state, kept.sop_instance_uid) == ("QUEUED", None)
        assert "0xA700" in kept.last_error
        first = [str(ds.SOPInstanceUID) for ds in received]
        full.clear()
        received.clear()
        assert deliver(room, delivery.id) == SENT
        assert [str(ds.SOPInstanceUID) for ds in received] == first


def test_only_what_is_asked_for_is_sent(tmp_path: Path, patient: SyntheticPatient) -> None:
    with archive(lambda _ds: 0x0000) as (port, received):
        room, _, delivery = approved_case(tmp_path, patient, port=port, objects=("SEG",))
        assert deliver(room, delivery.id) == SENT
    assert [ds.Modality for ds in received] == ["SEG", "SEG"]


def test_without_dose_and_prediction_the_report_has_the_volume(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    with archive(lambda _ds: 0x0000) as (port, received):
        room, _, delivery = approved_case(tmp_path, patient, port=port, dose=False, predicted=False)
        assert deliver(room, delivery.id) == SENT
    assert [ds.Modality for ds in received] == ["RTSTRUCT", "SEG", "SR"]
    (figures,) = _figures(received[-1]).values()
    assert set(figures) == {"Volume"}


def test_a_dose_that_comes_later_does_not_change_what_was_written(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    room, correction, _ = approved_case(tmp_path, patient, dose=False)
    before = write_report(room, correction).read_bytes()
    receive(room, [patient.dose_path])
    bring_up_to_date(room)
    assert write_report(room, correction).read_bytes() == before


def test_objects_lost_from_the_disk_are_written_as_the_same_bytes(
    tmp_path: Path, patient: SyntheticPatient
) -> None:
    room, correction, _ = approved_case(tmp_path, patient)
    paths = [*write_segs(room, correction), write_report(room, correction)]
    before = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    again = [*write_segs(room, correction), write_report(room, correction)]
    assert again == paths
    assert [path.read_bytes() for path in again] == before


def test_what_cannot_be_written_does_not_keep_the_structure_set(tmp_path: Path) -> None:
    """A SEG refers to one Enhanced CT; this one came in two instances."""
    series = ct_series(hu=lambda x, y, z: 0.0 * (x + y + z))
    halves = [enhanced_ct(series[:3]), enhanced_ct(series[3:])]
    with archive(lambda _ds: 0x0000) as (port, received):
        room = open_room(tmp_path, destination_port=port, objects=ALL)
        receive(room, written(halves, tmp_path / "sent"))
        bring_up_to_date(room)
        (case,) = room.store.cases.all()
        assert case.geometry is not None, case.reason
        heart = np.zeros(case.geometry.shape, np.bool_)
        heart[1:5, 4:8, 3:7] = True
        approve_mask(room, case.id, heart)
        (delivery,) = room.store.deliveries.all()
        assert deliver(room, delivery.id) == "held"
    assert [ds.Modality for ds in received] == ["RTSTRUCT"]
    kept = room.store.deliveries.get(delivery.id)
    assert kept.state == "HELD"
    assert kept.last_error.startswith("1 object(s) were accepted. The Enhanced CT came in several")
