"""Contours made elsewhere become corrections that train, and nothing else."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from pydicom import dcmread
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from app import intake
from app.cli import app
from app.clinic_contours import write_contours
from app.import_folder import import_folder
from app.importing import ImportPlan, cases_with_references, import_cases
from app.intake import route_now
from app.room import Room
from app.tables import Row
from app.writing import UNREVIEWED_LABEL
from core.case import CaseState, Split
from core.errors import UnreadableObjectError
from core.records import Prediction
from core.rules import FOR_TRAINING
from core.store import open_store
from core.tables import audit
from dicom_node.objects.uids import derived_uid
from tests.support.labelled_patients import LabelledPatient, write_labelled
from tests.support.review_case import NOW
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive, taught
from tests.support.settings import settings_for, write_config

PLAN = ImportPlan("Heart", (), "anna", dry_run=False)
DRY = ImportPlan("Heart", (), "anna", dry_run=True)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> LabelledPatient:
    return write_labelled(tmp_path_factory.mktemp("labelled") / "one", 1)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return open_room(tmp_path)


def imported_from(room: Room, folder: Path, plan: ImportPlan = PLAN) -> list[Row]:
    return import_folder(room, folder, plan, lambda _done, _of: None)


def copied(patient: LabelledPatient, folder: Path) -> LabelledPatient:
    """The same files in a folder of this test's own."""
    folder.mkdir(parents=True)
    for path in patient.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return LabelledPatient(folder, patient.ct, patient.heart, folder / "RS.dcm")


def changed(patient: LabelledPatient, ds: Dataset) -> None:
    ds.save_as(patient.structure_set, enforce_file_format=True)


def holds_nothing(room: Room) -> bool:
    kept = room.settings.data_folder / "instances"
    return not room.store.cases.all() and not list(kept.rglob("*.dcm"))


def test_a_folder_of_patients_becomes_training_and_validation_cases(
    room: Room, tmp_path: Path
) -> None:
    patients = [write_labelled(tmp_path / "in" / f"p{seed}", seed) for seed in (1, 2, 3)]
    rows = imported_from(room, tmp_path / "in")
    assert [(r["case"], r["outcome"]) for r in rows] == [
        ("p1", "imported"), ("p2", "imported"), ("p3", "imported")
    ]  # fmt: skip
    known = taught(room)
    assert (len(known.train), len(known.validation)) == (2, 1)
    (validation,) = known.validation
    assert validation.case_id == case_of(room, patients[1])
    for made, one in zip(known.train, (patients[0], patients[2]), strict=True):
        assert (made.origin, made.approved_by, made.slices_seen) == ("imported", "anna", ())
        kept = room.store.files.read_mask(
            made.case_id, f"correction-{made.id}", digest=made.mask_digest
        )
        np.testing.assert_array_equal(kept, one.heart)


def test_those_that_are_to_judge_all_judge_and_a_patient_who_teaches_is_refused_without_a_trace(
    room: Room, tmp_path: Path
) -> None:
    teacher = write_labelled(tmp_path / "teach" / "p1", 1)
    imported_from(room, teacher.folder)
    patients = [write_labelled(tmp_path / "judge" / f"p{seed}", seed) for seed in (2, 3, 4)]
    again = write_labelled(tmp_path / "again", 5)
    for path in again.folder.iterdir():
        ds = dcmread(path)
        ds.PatientID = "PHANTOM-0001"  # another CT of the teacher
        ds.save_as(path, enforce_file_format=True)
    judges = ImportPlan("Heart", (), "anna", dry_run=False, to_judge=True)
    assert {row["why"] for row in imported_from(room, tmp_path / "judge", judges)} == {
        "for validation"
    }
    for folder in (teacher.folder, again.folder):
        (row,) = imported_from(room, folder, judges)
        assert (row["outcome"], row["why"]) == (
            "refused",
            "This patient is learned from already, and so cannot judge.",
        )
    known = taught(room)
    assert [c.case_id for c in known.train] == [case_of(room, teacher)]
    assert [c.case_id for c in known.validation] == [case_of(room, one) for one in patients]
    assert len(room.store.cases.all()) == 4


def test_a_node_that_assembles_the_case_in_the_middle_of_an_import_changes_nothing(
    room: Room, patient: LabelledPatient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks its rules, and makes the volume anew while the contour joins: that is void then."""

    def attach(_room: Room, _case_id: str, _instance_id: int) -> str:
        monkeypatch.setattr("app.import_folder.attach", intake.attach)
        return "void"

    monkeypatch.setattr(
        "app.import_folder.assemble",
        lambda room, case_id, uid, _routing: intake.assemble(room, case_id, uid),
    )
    monkeypatch.setattr("app.import_folder.attach", attach)
    (row,) = imported_from(room, patient.folder)
    assert row["outcome"] == "imported"
    (case,) = room.store.cases.all()
    assert case.routing is not None
    assert (case.routing.rule, case.routing.destinations) == (FOR_TRAINING, ())


def case_of(room: Room, patient: LabelledPatient) -> str:
    found = room.store.teaching.case_of_series(patient.ct.identity.series_instance_uid)
    assert found is not None
    return found.id


def test_what_was_imported_is_audited_and_goes_to_nobody(
    room: Room, patient: LabelledPatient
) -> None:
    imported_from(room, patient.folder)
    (case,) = room.store.cases.all()
    assert case.state is CaseState.ASSEMBLED
    assert case.routing is not None
    assert (case.routing.destinations, case.routing.priority) == ((), "low")
    assert room.store.deliveries.due(now=room.now()) == []
    assert room.store.cases.to_predict("Heart", "a" * 64) == []
    with room.store.engine.connect() as connection:
        query = sa.select(audit).where(audit.c.event == "correction.imported")
        (row,) = connection.execute(query).mappings()
    assert (row["who"], row["case_id"], row["detail"]["roi_name"]) == ("anna", case.id, "Heart")


def test_a_ct_that_the_tps_pushes_after_it_was_imported_is_a_case_like_any_other(
    room: Room, patient: LabelledPatient
) -> None:
    imported_from(room, patient.folder)
    assert room.store.cases.to_route() == []
    receive(room, sorted(patient.folder.glob("CT*.dcm")))
    (case,) = room.store.cases.to_route()
    assert route_now(room, case)
    assert room.store.cases.to_route() == []
    (again,) = room.store.cases.to_predict("Heart", "a" * 64)
    assert again.id == case.id
    assert again.routing is not None
    assert (again.routing.rule, again.routing.destinations) == ("heart", ("TPS",))
    assert len(taught(room).train) == 1


def test_importing_twice_is_the_same_as_once(room: Room, patient: LabelledPatient) -> None:
    (first,) = imported_from(room, patient.folder)
    before = taught(room)
    (second,) = imported_from(room, patient.folder)
    assert (first["outcome"], second["outcome"]) == ("imported", "already imported")
    assert taught(room) == before


def test_a_dry_run_says_what_would_come_and_keeps_nothing(
    room: Room, patient: LabelledPatient
) -> None:
    (row,) = imported_from(room, patient.folder, DRY)
    assert row["outcome"] == "would import"
    assert row["volume_cc"] == pytest.approx(patient.ct.geometry.volume_cc(patient.heart))
    assert holds_nothing(room)


def test_a_contour_of_another_name_is_found_by_its_alias_alone(room: Room, tmp_path: Path) -> None:
    write_labelled(tmp_path / "in", 1, roi_name="Herz")
    (row,) = imported_from(room, tmp_path / "in")
    assert row["outcome"] == "refused"
    assert row["why"] == (
        "There is no contour named Heart; contoured is Herz. Name it with --alias."
    )
    assert holds_nothing(room)
    (row,) = imported_from(room, tmp_path / "in", ImportPlan("Heart", ("herz",), "anna", False))
    assert (row["outcome"], row["found_as"]) == ("imported", "Herz")
    assert len(taught(room).train) == 1


def _rejected(ds: Dataset) -> None:
    ds.ApprovalStatus = "REJECTED"


def _proposal(ds: Dataset) -> None:
    ds.StructureSetLabel = UNREVIEWED_LABEL


def _slice_left_out(ds: Dataset) -> None:
    contours = ds.ROIContourSequence[0].ContourSequence
    del contours[len(contours) // 2]


def _between_no_slices(ds: Dataset) -> None:
    contour = ds.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [
        f"{float(v) + (5000.0 if i % 3 == 2 else 0.0):.1f}"
        for i, v in enumerate(contour.ContourData)
    ]


def _of_another_series(ds: Dataset) -> None:
    study = ds.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    study.RTReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3.4"


def _empty(ds: Dataset) -> None:
    del ds.ROIContourSequence[0].ContourSequence


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_rejected, "Approval Status REJECTED"),
        (_proposal, "is a model's proposal"),
        (_slice_left_out, "leaves slices out in between"),
        (_between_no_slices, "on no slice of the CT"),
        (_of_another_series, "another series"),
        (_empty, "contoured is nothing"),
    ],
)
def test_a_contour_that_is_not_what_was_drawn_on_this_ct_is_refused_and_leaves_nothing(
    change: Callable[[Dataset], None],
    told: str,
    room: Room,
    patient: LabelledPatient,
    tmp_path: Path,
) -> None:
    mine = copied(patient, tmp_path / "in")
    ds = dcmread(mine.structure_set)
    change(ds)
    changed(mine, ds)
    (row,) = imported_from(room, mine.folder)
    assert row["outcome"] == "refused"
    assert told in row["why"]
    assert holds_nothing(room)


def test_one_patient_that_is_refused_does_not_keep_the_others_out(
    room: Room, patient: LabelledPatient, tmp_path: Path
) -> None:
    copied(patient, tmp_path / "in" / "b")
    bad = write_labelled(tmp_path / "in" / "a", 2)
    bad.structure_set.unlink()
    rows = imported_from(room, tmp_path / "in")
    assert [r["outcome"] for r in rows] == ["refused", "imported"]
    assert rows[0]["why"] == "No RTSTRUCT beside the CT was drawn on it."
    assert len(room.store.cases.all()) == 1


def test_of_two_structure_sets_the_one_that_was_drawn_last_counts(
    room: Room, patient: LabelledPatient, tmp_path: Path
) -> None:
    mine = copied(patient, tmp_path / "in")
    smaller = mine.heart.copy()
    smaller[:, :, : int(np.argwhere(mine.heart)[:, 2].mean())] = False
    later = write_contours(mine.folder / "RS.later.dcm", mine.ct, smaller, "Heart")
    ds = dcmread(later)
    ds.StructureSetDate = "20260301"
    ds.save_as(later, enforce_file_format=True)
    imported_from(room, mine.folder)
    (made,) = taught(room).train
    kept = room.store.files.read_mask(made.case_id, f"correction-{made.id}")
    np.testing.assert_array_equal(kept, smaller)


def test_a_folder_without_a_ct_says_so(room: Room, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(UnreadableObjectError, match="No CT instance is in"):
        imported_from(room, tmp_path / "in")


def joined(room: Room, patient: LabelledPatient) -> str:
    """The patient came by C-STORE, with the contour of the TPS; the case's id."""
    receive(room, sorted(patient.folder.glob("*.dcm")))
    bring_up_to_date(room)
    return case_of(room, patient)


def test_the_reference_of_a_case_that_the_node_has_is_imported_and_the_case_goes_on(
    room: Room, patient: LabelledPatient
) -> None:
    case_id = joined(room, patient)
    assert cases_with_references(room) == [case_id]
    told: list[int] = []
    (row,) = import_cases(room, [case_id], PLAN, told.append)
    assert (row["outcome"], row["why"], told) == ("imported", "for train", [1])
    assert [c.id for c in room.store.cases.to_predict("Heart", "a" * 64)] == [case_id]
    approved = approve_mask(room, case_id, patient.heart)
    assert taught(room).train == (approved,)


def test_what_a_physician_approved_is_not_replaced(
    room: Room, patient: LabelledPatient, tmp_path: Path
) -> None:
    case_id = joined(room, patient)
    approved = approve_mask(room, case_id, patient.heart)
    for (row,) in (
        import_cases(room, [case_id], PLAN, lambda _: None),
        imported_from(room, patient.folder),
        imported_from(room, patient.folder, DRY),
    ):
        assert row["outcome"] == "refused"
        assert "was approved on this case" in row["why"]
    assert taught(room).train == (approved,)


def test_a_contour_that_goes_back_to_a_proposal_of_ours_does_not_teach(
    room: Room, patient: LabelledPatient, tmp_path: Path
) -> None:
    mine = copied(patient, tmp_path / "in")
    ds = dcmread(mine.structure_set)
    ds.PredecessorStructureSetSequence = [Dataset()]
    ds.PredecessorStructureSetSequence[0].ReferencedSOPClassUID = ds.SOPClassUID
    ds.PredecessorStructureSetSequence[0].ReferencedSOPInstanceUID = derived_uid("prediction", "f")
    changed(mine, ds)
    case_id = joined(room, mine)
    current = room.store.cases.get(case_id)
    made = Prediction(
        "f", case_id, current.assembly or "", "Heart", "c" * 64, "d" * 64, 0.8, 1.0, NOW
    )
    assert room.store.cases.predicted(made)
    (row,) = import_cases(room, [case_id], PLAN, lambda _: None)
    assert row["why"] == "The structure set was made from a proposal of this node."


def test_a_case_without_a_structure_set_is_refused_with_a_sentence(
    room: Room, patient: LabelledPatient
) -> None:
    receive(room, sorted(patient.folder.glob("CT*.dcm")))
    bring_up_to_date(room)
    case_id = case_of(room, patient)
    (row,) = import_cases(room, [case_id], PLAN, lambda _: None)
    assert row["why"] == "No structure set has joined the case; send the RTSTRUCT."
    (row,) = import_cases(room, ["0" * 32], PLAN, lambda _: None)
    assert row["why"] == "There is no such case. Open it from the worklist."


def test_a_second_series_of_a_patient_follows_the_first(room: Room, tmp_path: Path) -> None:
    """Two others would make the third patient a training case; a held-out one stays held out."""
    first = write_labelled(tmp_path / "in" / "a", 1)
    write_labelled(tmp_path / "in" / "b", 2)
    again = write_labelled(tmp_path / "in" / "c", 3)
    identity = dcmread(tmp_path / "in" / "b" / "RS.dcm").PatientID
    for path in again.folder.glob("*.dcm"):
        ds = dcmread(path)
        ds.PatientID = identity
        ds.save_as(path, enforce_file_format=True)
    imported_from(room, tmp_path / "in")
    assert room.store.cases.get(case_of(room, first)).split is Split.TRAIN
    assert room.store.cases.get(case_of(room, again)).split is Split.VALIDATION


def test_the_command_answers_with_a_row_for_each_series_and_its_exit_code(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    write_labelled(tmp_path / "in" / "a", 1)
    write_labelled(tmp_path / "in" / "b", 2).structure_set.unlink()
    command = ["import-labels", str(tmp_path / "in"), "--json", "--config", str(config)]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    rows = json.loads(done.stdout)
    assert [(row["case"], row["outcome"]) for row in rows] == [("a", "imported"), ("b", "refused")]
    assert done.exit_code == 1
    room = Room(settings_for(tmp_path), open_store(settings_for(tmp_path)))
    assert taught(room).train[0].approved_by == getpass.getuser()
    done = CliRunner().invoke(app, [*command, "--every-case"])
    assert done.exit_code == 2
    assert "Name either a folder, or --case, or --every-case" in done.output
