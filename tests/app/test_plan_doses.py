"""Doses of plans, beams and fractions on one case: each counts as what it is, or says why not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

from app.room import Room
from core.records import Case
from tests.dicom_node.beam_doses import beam_dose, plan_with_beams
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive
from tests.support.shared_data import shared_data
from tests.support.synthetic_dicom import Field, ct_series, rtdose, uid, written

PLAN_UID = uid("the plan")
HEART = (slice(2, 5), slice(4, 8), slice(2, 6))


def flat(dose_gy: float) -> Field:
    return lambda x, y, z: dose_gy + 0.0 * x + 0.0 * y + 0.0 * z


def leftward(x: Any, y: Any, z: Any) -> Any:
    """Rises to the patient's left; 10 Gy in the middle."""
    return 10.0 + 0.2 * x + 0.0 * y + 0.0 * z


class Clinic:
    """A case with an approved heart, to which doses and plans come."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.series = ct_series(hu=flat(0.0), shape=(8, 12, 10))
        self.room: Room = open_room(folder)
        self.come(self.series)
        (self.case,) = self.room.store.cases.all()
        assert self.case.geometry is not None, self.case.reason
        mask = np.zeros(self.case.geometry.shape, np.bool_)
        mask[HEART] = True
        approve_mask(self.room, self.case.id, mask)

    def come(self, datasets: Sequence[Dataset]) -> Case:
        receive(self.room, written(datasets, self.folder / "sent"))
        bring_up_to_date(self.room)
        return self.room.store.cases.all()[0]

    def dose(self, field: Field, name: str, *, kind: str = "PLAN", plan: str = PLAN_UID) -> Dataset:
        ds = rtdose(
            field, ct=self.series[0], shape=(14, 14, 14), spacing_mm=(3.0, 2.5, 2.5), plan_uid=plan
        )
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(uid("dose", name))
        ds.DoseSummationType = kind
        return ds

    def beam(self, field: Field, *numbers: int) -> Dataset:
        return beam_dose(self.dose(field, f"beam {numbers}"), beams=numbers)

    def plan(self, *numbers: int, label: str = "B1") -> Dataset:
        return plan_with_beams(
            self.series[0], numbers, plan_uid=PLAN_UID, label=label, structure_set_uid=uid("rs")
        )

    def means(self) -> list[float]:
        figures = self.room.store.cases.dose_figures(self.case.id)
        return [round(f.mean_gy, 4) for f in figures if f.mean_gy is not None]

    def primary_words(self) -> str:
        primary = self.room.store.doses.primary(self.case.id)
        assert primary is not None
        return primary.words(self.room.store.doses.plans(self.case.id))

    def told(self) -> list[str]:
        return self.room.store.instances.refusals(self.case.id)


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


def test_beams_are_the_plan_s_dose_once_plan_and_all_beams_are_there(clinic: Clinic) -> None:
    clinic.come([clinic.beam(flat(3.0), 1), clinic.plan(1, 2)])
    assert clinic.means() == []
    (waits, *_) = clinic.told()
    assert "once the RT Plan and the doses of all its beams are there" in waits
    clinic.come([clinic.beam(leftward, 2)])
    # The heart's voxels lie 2 mm to the right of the middle on average.
    assert clinic.means() == [pytest.approx(3.0 + 9.6, abs=1e-3)]
    assert clinic.told() == []
    assert clinic.primary_words() == "Plan B1, 6 Gy in 3 fractions, sum of 2 beam doses"


def test_the_order_in_which_plan_and_beams_come_does_not_matter(clinic: Clinic) -> None:
    clinic.come([clinic.beam(leftward, 2)])
    clinic.come([clinic.beam(flat(3.0), 1)])
    assert clinic.means() == []
    clinic.come([clinic.plan(1, 2)])
    assert clinic.means() == [pytest.approx(12.6, abs=1e-3)]


def test_one_dose_of_both_beams_is_the_plan_s_dose(clinic: Clinic) -> None:
    clinic.come([clinic.plan(1, 2), clinic.beam(flat(4.0), 1, 2)])
    assert clinic.means() == [pytest.approx(4.0, abs=1e-3)]


def test_a_dose_of_the_whole_plan_is_not_added_to(clinic: Clinic) -> None:
    clinic.come([clinic.dose(flat(7.0), "whole"), clinic.plan(1, 2)])
    clinic.come([clinic.beam(flat(3.0), 1), clinic.beam(flat(3.0), 2)])
    assert clinic.means() == [pytest.approx(7.0, abs=1e-3)]
    assert all("Plan B1 has its dose" in told for told in clinic.told())


def test_a_beam_computed_anew_after_the_sum_is_told_and_changes_nothing(clinic: Clinic) -> None:
    clinic.come([clinic.plan(1, 2), clinic.beam(flat(3.0), 1), clinic.beam(flat(1.0), 2)])
    again = clinic.beam(flat(5.0), 1)
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = UID(uid("recalculated"))
    clinic.come([again])
    assert clinic.means() == [pytest.approx(4.0, abs=1e-3)]
    (told,) = clinic.told()
    assert "If the plan was computed anew, export its plan dose" in told


def test_beams_of_another_plan_are_not_mixed_in(clinic: Clinic) -> None:
    other = beam_dose(clinic.dose(flat(3.0), "other", plan=uid("another plan")), beams=(2,))
    clinic.come([clinic.plan(1, 2), clinic.beam(flat(3.0), 1), other])
    assert clinic.means() == []


def test_a_beam_with_two_doses_or_unknown_to_the_plan_is_told(clinic: Clinic) -> None:
    again = clinic.beam(flat(5.0), 1)
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = UID(uid("recalculated"))
    clinic.come([clinic.plan(1, 2), clinic.beam(flat(3.0), 1), again, clinic.beam(flat(1.0), 2)])
    assert clinic.means() == []
    assert all("Beam 1 of plan B1 has more than one dose" in told for told in clinic.told())


def test_a_dose_of_a_beam_the_plan_does_not_have_is_told(clinic: Clinic) -> None:
    clinic.come([clinic.plan(1, 2), clinic.beam(flat(3.0), 1), clinic.beam(flat(3.0), 2, 7)])
    assert clinic.means() == []
    assert "is of beam 7, with which plan B1 does not treat" in clinic.told()[0]


def test_physical_and_effective_beams_are_not_summed(clinic: Clinic) -> None:
    effective = clinic.beam(flat(3.0), 2)
    effective.DoseType = "EFFECTIVE"
    clinic.come([clinic.plan(1, 2), clinic.beam(flat(3.0), 1), effective])
    assert clinic.means() == []
    assert "of different Dose Type" in clinic.told()[0]


@pytest.mark.parametrize("kind", ["FRACTION", "BRACHY", "FRACTION_SESSION"])
def test_the_dose_of_a_part_is_shown_and_never_the_plan_s(kind: str, clinic: Clinic) -> None:
    clinic.come([clinic.plan(1, 2), clinic.dose(flat(2.0), "part", kind=kind)])
    assert clinic.means() == [pytest.approx(2.0, abs=1e-3)]
    assert clinic.room.store.doses.primary(clinic.case.id) is None
    (part,) = clinic.room.store.doses.joined(clinic.case.id)
    words = part.words(clinic.room.store.doses.plans(clinic.case.id))
    assert words == f"Plan B1, 6 Gy in 3 fractions, {kind} dose"
    assert "never taken for those of the whole plan" in clinic.told()[0]


@pytest.mark.parametrize("kind", ["CONTROL_POINT", "RECORD", "PLAN_OVERVIEW", "ODDITY"])
def test_a_dose_of_no_use_to_a_mean_is_kept_and_told(kind: str, clinic: Clinic) -> None:
    clinic.come([clinic.dose(flat(2.0), "odd", kind=kind)])
    assert clinic.means() == []
    assert f"is '{kind}'; only the dose of a whole PLAN is used" in clinic.told()[0]


def test_two_plans_have_figures_each_and_the_newest_is_the_page_s(clinic: Clinic) -> None:
    second = plan_with_beams(
        clinic.series[0], (1,), plan_uid=uid("second"), label="B2", structure_set_uid=uid("rs")
    )
    clinic.come([clinic.plan(1, 2), second])
    clinic.come([clinic.dose(flat(2.0), "first")])
    clinic.come([clinic.dose(flat(5.0), "second", plan=uid("second"))])
    clinic.come([clinic.dose(flat(9.0), "part", kind="FRACTION")])
    assert clinic.means() == [pytest.approx(gray, abs=1e-3) for gray in (2.0, 5.0, 9.0)]
    assert clinic.primary_words() == "Plan B2, 6 Gy in 3 fractions"


def test_a_relative_dose_is_kept_and_told(clinic: Clinic) -> None:
    relative = clinic.dose(flat(1.0), "relative")
    relative.DoseUnits = "RELATIVE"
    clinic.come([relative])
    assert clinic.means() == []
    assert "a relative dose says nothing in gray" in clinic.told()[0]


def test_a_single_plane_is_shown_and_never_the_page_s(clinic: Clinic) -> None:
    clinic.come([clinic.dose(flat(4.0), "whole")])
    plane = rtdose(
        flat(9.0), ct=clinic.series[0], shape=(1, 14, 14), centre_mm=(0.0, 0.0, -1.5), bits=16
    )
    del plane.GridFrameOffsetVector
    clinic.come([plane])
    assert clinic.means() == [pytest.approx(4.0, abs=1e-3), pytest.approx(9.0, abs=1e-3)]
    whole, part = clinic.room.store.cases.dose_figures(clinic.case.id)
    assert whole.coverage == 1.0
    # One of the three slices of the heart.
    assert part.coverage == pytest.approx(1 / 3)
    primary = clinic.room.store.doses.primary(clinic.case.id)
    assert primary is not None
    assert primary.instance_id == whole.dose_instance_id


def test_the_beams_of_a_real_plan_have_its_mean_heart_dose(tmp_path: Path) -> None:
    """The Eclipse dose in four parts, one a beam of its plan; the setup beam gives none."""
    data = shared_data("eclipse-breast-dicompyler")
    plan, whole = dcmread(data / "rtplan.dcm"), dcmread(data / "rtdose.dcm")
    setup = deepcopy(plan.BeamSequence[0])
    setup.BeamNumber, setup.TreatmentDeliveryType = 9, "SETUP"
    plan.BeamSequence.append(setup)
    reference = Dataset()
    reference.ReferencedBeamNumber = 9
    group = plan.FractionGroupSequence[0]
    group.ReferencedBeamSequence.append(reference)
    group.NumberOfBeams = 5
    stored = whole.pixel_array
    beams = []
    for number, share in enumerate((0.1, 0.2, 0.3, 0.4), start=1):
        beam = beam_dose(deepcopy(whole), beams=(number,))
        beam.SOPInstanceUID = beam.file_meta.MediaStorageSOPInstanceUID = UID(uid(str(number)))
        beam.PixelData = np.rint(stored * share).astype("<u4").tobytes()
        beams.append(beam)
    room = open_room(tmp_path)
    receive(room, [*sorted((data / "CT_synthetic").glob("*.dcm")), data / "rtss.dcm"])
    receive(room, written([*beams[2:], plan, *beams[:2]], tmp_path / "sent"))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    (figure,) = room.store.cases.dose_figures(case.id)
    expected = json.loads((data / "expected.json").read_text())
    eclipse_gy = expected["heart"]["mean_gy"]["eclipse_dvh_sequence"]
    assert figure.mean_gy == pytest.approx(eclipse_gy, rel=0.01)
    assert figure.coverage == pytest.approx(1.0)
