"""What a plan says of its dose, real plans first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from core.errors import UnreadableObjectError
from core.plans import DoseOrigin, Plan
from dicom_node.objects.rtplan_reader import read_plan
from tests.support.shared_data import shared_data
from tests.support.synthetic_dicom import ct_series, rtplan, written


def eclipse_plan() -> Plan:
    return read_plan(shared_data("eclipse-breast-dicompyler") / "rtplan.dcm")


def test_an_eclipse_plan_says_its_label_prescription_and_beams() -> None:
    plan = eclipse_plan()
    assert (plan.label, plan.approval_status) == ("B1", "UNAPPROVED")
    # The calculation point, a TARGET too, has 11.31 Gy; it is no prescription.
    assert plan.prescription() == "14 Gy in 7 fractions"
    assert plan.structure_set_uid == "1.2.246.352.71.4.320687012.3190.20090511122144"
    (group,) = plan.fraction_groups
    assert (group.number, group.fractions) == (1, 7)
    assert [(b.number, b.name, b.meterset, b.dose_gy) for b in group.beams] == [
        (1, "3 RAO", 97.0, 0.5),
        (2, "4 AP", 87.0, 0.5),
        (3, "5 LAO", 89.0, 0.5),
        (4, "6 LPO", 94.0, 0.5),
    ]
    assert plan.treatment_beams() == {(1, 1), (1, 2), (1, 3), (1, 4)}


def test_a_plan_prescribed_to_a_point_says_that_dose() -> None:
    plan = read_plan(shared_data("odd-pydicom") / "test_files" / "rtplan.dcm")
    assert (plan.label, plan.name) == ("Plan1", "Plan1")
    assert plan.prescription() == "30.8262 Gy in 30 fractions"


def test_a_truncated_plan_is_refused() -> None:
    with pytest.raises(UnreadableObjectError, match="cut short"):
        read_plan(shared_data("odd-pydicom") / "test_files" / "rtplan_truncated.dcm")


def test_a_dose_is_no_plan() -> None:
    with pytest.raises(UnreadableObjectError, match="expected RT Plan"):
        read_plan(shared_data("eclipse-breast-dicompyler") / "rtdose.dcm")


def test_setup_beams_give_no_dose(tmp_path: Path) -> None:
    ds = dcmread(shared_data("eclipse-breast-dicompyler") / "rtplan.dcm")
    ds.BeamSequence[2].TreatmentDeliveryType = "SETUP"
    ds.save_as(tmp_path / "plan.dcm")
    assert read_plan(tmp_path / "plan.dcm").treatment_beams() == {(1, 1), (1, 2), (1, 4)}


def _without_a_beam(ds: Dataset) -> None:
    del ds.BeamSequence[1]


def _without_a_reference(ds: Dataset) -> None:
    del ds.FractionGroupSequence[0].ReferencedBeamSequence[1]


def _without_a_label(ds: Dataset) -> None:
    ds.RTPlanLabel = ""


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_without_a_beam, "names beam 2"),
        (_without_a_reference, "counts 4 beams and names 3"),
        (_without_a_label, "has no RTPlanLabel"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(
    damage: object, sentence: str, tmp_path: Path
) -> None:
    ds = dcmread(shared_data("eclipse-breast-dicompyler") / "rtplan.dcm")
    assert callable(damage)
    damage(ds)
    ds.save_as(tmp_path / "plan.dcm")
    with pytest.raises(UnreadableObjectError, match=sentence):
        read_plan(tmp_path / "plan.dcm")


def test_a_plan_with_the_least_it_must_say_is_read(tmp_path: Path) -> None:
    (path,) = written([rtplan(ct_series()[0], structure_set_uid="1.2.3")], tmp_path)
    plan = read_plan(path)
    assert (plan.label, plan.prescription(), plan.treatment_beams()) == ("PLAN", "", frozenset())


def test_plan_and_origin_come_back_from_the_store_as_they_were() -> None:
    plan = eclipse_plan()
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    origin = DoseOrigin("BEAM", "PHYSICAL", ("1.2",), ((1, 2),), ("1.3", "1.4"))
    assert DoseOrigin.from_json(json.loads(json.dumps(origin.to_json()))) == origin


def test_a_dose_names_its_plan_and_what_was_prescribed() -> None:
    plan = eclipse_plan()
    mine = (plan.sop_instance_uid,)
    whole = DoseOrigin("PLAN", "PHYSICAL", mine)
    assert whole.words([plan]) == "Plan B1 (unapproved), 14 Gy in 7 fractions"
    assert whole.words([]) == "Plan not received"
    part = DoseOrigin("FRACTION", "EFFECTIVE", mine)
    assert part.words([plan]).endswith("FRACTION dose, effective (RBE-weighted) dose")
    several = DoseOrigin("MULTI_PLAN", "PHYSICAL", (*mine, "1.2.3"))
    assert several.words([plan]).endswith("7 fractions + a plan that did not come")


def test_what_a_figure_is_not_is_said() -> None:
    assert DoseOrigin("PLAN", "PHYSICAL", ()).limits() == ()
    assert DoseOrigin("MULTI_PLAN", "PHYSICAL", ()).limits() == ()
    part, effective = DoseOrigin("BEAM", "EFFECTIVE", ()).limits()
    assert "of a part of the plan (BEAM)" in part
    assert "effective (RBE-weighted)" in effective
