"""From received instances to a case with its doses and reference structures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from app.clinic_dicom import write_patient
from app.room import Room
from core.case import CaseState
from core.journal import encode_runs
from core.records import JournalEntry
from core.worklist_store import Asked
from review_ui.context import Desk
from review_ui.memory import CaseMemory
from review_ui.worklist import worklist_of
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive
from tests.support.shared_data import shared_data

SPACING_MM = (6.0, 6.0, 6.0)


def test_eclipse_s_own_mean_heart_dose_is_reproduced_within_one_per_cent(tmp_path: Path) -> None:
    data = shared_data("eclipse-breast-dicompyler")
    expected = json.loads((data / "expected.json").read_text())
    room = open_room(tmp_path)
    # Dose and structures first, CT last: the order must not matter.
    receive(room, [data / "rtdose.dcm", data / "rtss.dcm", data / "rtplan.dcm"])
    receive(room, sorted((data / "CT_synthetic").glob("*.dcm")))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    assert case.state is CaseState.ASSEMBLED, case.reason
    (figure,) = room.store.cases.dose_figures(case.id)
    primary = room.store.doses.primary(case.id)
    assert primary is not None
    words = primary.words(room.store.doses.plans(case.id))
    assert words == "Plan B1 (unapproved), 14 Gy in 7 fractions"
    assert (figure.source, figure.roi_name) == ("reference", "Heart")
    eclipse_gy = expected["heart"]["mean_gy"]["eclipse_dvh_sequence"]
    print(f"mean heart dose {figure.mean_gy:.4f} Gy, Eclipse {eclipse_gy:.4f} Gy")
    assert figure.mean_gy == pytest.approx(eclipse_gy, rel=0.01)
    assert figure.coverage == pytest.approx(1.0)


def test_a_missing_slice_fails_the_case_with_a_sentence_and_mends_when_it_comes(
    tmp_path: Path,
) -> None:
    patient = write_patient(tmp_path / "p", 3, spacing_mm=SPACING_MM)
    paths = list(patient.ct_paths)
    late = paths.pop(20)
    room = open_room(tmp_path)
    receive(room, paths)
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    assert case.state is CaseState.FAILED
    assert "slice" in case.reason
    assert "Phantom" not in case.reason
    receive(room, [late])
    bring_up_to_date(room)
    assert room.store.cases.get(case.id).state is CaseState.ASSEMBLED


def test_a_late_slice_at_the_end_makes_the_volume_anew_and_the_dose_joins_again(
    tmp_path: Path,
) -> None:
    patient = write_patient(tmp_path / "p", 3, spacing_mm=SPACING_MM)
    room = open_room(tmp_path)
    receive(room, [*patient.ct_paths[:-1], patient.dose_path])
    bring_up_to_date(room)
    (before,) = room.store.cases.all()
    assert len(room.store.instances.attached(before.id, kind="dose")) == 1
    receive(room, [patient.ct_paths[-1]])
    bring_up_to_date(room)
    (after,) = room.store.cases.all()
    assert before.geometry is not None
    assert after.geometry is not None
    assert after.geometry.shape[0] == before.geometry.shape[0] + 1
    assert after.assembly != before.assembly
    assert len(room.store.instances.attached(after.id, kind="dose")) == 1


def test_two_patients_that_arrive_mixed_become_two_cases(tmp_path: Path) -> None:
    first = write_patient(tmp_path / "a", 3, spacing_mm=SPACING_MM)
    second = write_patient(tmp_path / "b", 4, spacing_mm=SPACING_MM)
    mixed = [p for pair in zip(first.ct_paths, second.ct_paths, strict=False) for p in pair]
    rest = [*first.ct_paths, *second.ct_paths, second.dose_path, first.dose_path]
    room = open_room(tmp_path)
    receive(room, [*mixed, *rest])
    bring_up_to_date(room)
    cases = {c.series_instance_uid: c for c in room.store.cases.all()}
    for patient in (first, second):
        case = cases[patient.series_instance_uid]
        geometry = patient.phantom.volume.geometry
        assert case.geometry is not None
        assert case.geometry.shape == geometry.shape
        (dose,) = room.store.instances.attached(case.id, kind="dose")
        assert dose.header.frame_of_reference_uid == geometry.frame_of_reference_uid


def test_a_dose_of_one_beam_is_joined_as_refused_not_taken_for_the_plan(tmp_path: Path) -> None:
    patient = write_patient(tmp_path / "p", 3, spacing_mm=SPACING_MM)
    ds = dcmread(patient.dose_path)
    ds.DoseSummationType = "BEAM"
    ds.save_as(patient.dose_path)
    room = open_room(tmp_path)
    receive(room, [*patient.ct_paths, patient.dose_path])
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    assert room.store.instances.attached(case.id, kind="dose") == []
    assert len(room.store.instances.attached(case.id, kind="refused")) == 1


def test_a_dose_that_comes_after_the_approval_is_still_measured(tmp_path: Path) -> None:
    patient = write_patient(tmp_path / "p", 3, spacing_mm=SPACING_MM)
    room = open_room(tmp_path)
    receive(room, list(patient.ct_paths))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    approve_mask(room, case.id, patient.phantom.heart)
    bring_up_to_date(room)
    assert room.store.cases.dose_figures(case.id) == []
    receive(room, [patient.dose_path])
    bring_up_to_date(room)
    (figure,) = room.store.cases.dose_figures(case.id)
    assert (figure.source, figure.roi_name) == ("correction", "Heart")
    assert figure.mean_gy is not None
    assert figure.mean_gy > 0.5


def test_what_is_not_used_is_said_on_the_worklist(tmp_path: Path) -> None:
    patient = write_patient(tmp_path / "p", 3, spacing_mm=SPACING_MM)
    beam = dcmread(patient.dose_path)
    beam.DoseSummationType = "BEAM"
    beam.save_as(patient.dose_path)
    room = open_room(tmp_path)
    receive(room, [*patient.ct_paths[:-1], patient.dose_path])
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    other = dcmread(patient.ct_paths[0])
    other.ImageComments = "another object under the same UID"
    other.save_as(tmp_path / "other.dcm")
    _paint(room, case.id)
    receive(room, [tmp_path / "other.dcm", patient.ct_paths[-1]])
    bring_up_to_date(room)
    desk = Desk(room.settings, room.store, CaseMemory(room.store, "Heart"), room.now)
    (row,) = worklist_of(desk, Asked())["cases"]
    refused, aside, late = row["flags"]
    assert "only the dose of a whole PLAN is used" in refused
    assert aside.startswith("1 other object(s) came under a UID that was taken")
    assert late.startswith("1 slice(s) came after the review began")


def _paint(room: Room, case_id: str) -> None:
    """Open the case and make one stroke."""
    room.store.reviews.open(case_id, "Heart", who="anna", tab="t", now=room.now(), lock_s=60)
    entry = JournalEntry(1, "stroke", {"tool": "add", "runs": encode_runs(np.array([5]))})
    room.store.reviews.append(case_id, "Heart", entry, who="anna", tab="t", now=room.now())
