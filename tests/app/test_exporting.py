"""Export of a case or a study to a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from pydicom import dcmread
from typer.testing import CliRunner

from app.cli import app
from app.exporting import ExportError, export_case, export_study
from app.intake import assemble
from app.room import Room
from app.writing import write_approved
from core.case import CaseState
from core.errors import NoSuchCaseError
from core.tables import audit, quarantine
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.dicom_node.test_deidentify import TELLING, identified
from tests.support.returned_files import WIDER, deliver_a_case
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive
from tests.support.synthetic_dicom import ct_series, written


@pytest.fixture
def room(tmp_path: Path) -> Room:
    room = open_room(tmp_path)
    receive(room, written(identified(), tmp_path / "sent"))
    bring_up_to_date(room)
    return room


def _case_id(room: Room) -> str:
    (case,) = room.store.cases.all()
    assert case.state == CaseState.ASSEMBLED
    return case.id


def _files(out: Path) -> list[Path]:
    return sorted(out.rglob("*.dcm"))


def test_a_case_is_exported_with_its_ct_structures_plan_and_dose(
    room: Room, tmp_path: Path
) -> None:
    report = export_case(room, _case_id(room), tmp_path / "out", deidentify=False)
    assert report.written == {
        "CT Image Storage": 4,
        "RT Structure Set Storage": 1,
        "RT Plan Storage": 1,
        "RT Dose Storage": 1,
    }
    kept = {p.read_bytes() for p in (room.settings.data_folder / "instances").rglob("*.dcm")}
    assert {p.read_bytes() for p in _files(tmp_path / "out")} == kept


def test_a_de_identified_export_tells_nobody_anywhere(room: Room, tmp_path: Path) -> None:
    """Not in the files, not in their names, not in the report."""
    out = tmp_path / "out"
    report = export_case(room, _case_id(room), out, deidentify=True)
    assert report.written.total() == len(_files(out)) == 7
    said = b"".join(p.read_bytes() + str(p.relative_to(out)).encode() for p in _files(out))
    said += (out / "report.json").read_bytes()
    originals = [dcmread(p) for p in (tmp_path / "sent").iterdir()]
    for word in (*TELLING, *(str(ds.SOPInstanceUID) for ds in originals)):
        assert word.encode("latin-1").lower() not in said.lower(), word


def test_the_report_counts_what_was_changed_for_each_kind(room: Room, tmp_path: Path) -> None:
    export_case(room, _case_id(room), tmp_path / "out", deidentify=True)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    of_ct = {
        (c["attribute"], c["action"]): c["count"]
        for c in report["changes"]
        if c["object"] == "CT Image Storage"
    }
    assert of_ct["PatientName", "replaced"] == 4
    assert of_ct["BodyPartExamined", "swept"] == 4
    assert report["left_out"] == []
    assert "PS3.15" in report["profile"]


def test_what_was_approved_goes_with_the_case_on_the_new_uids(room: Room, tmp_path: Path) -> None:
    case_id = _case_id(room)
    mask = np.zeros((4, 8, 8), bool)
    mask[1:3, 2:5, 2:6] = True
    path = write_approved(room, approve_mask(room, case_id, mask))
    export_case(room, case_id, tmp_path / "out", deidentify=True)
    ours = next(
        p
        for p in (tmp_path / "out" / "RT_Structure_Set").iterdir()
        if [r.ROIName for r in dcmread(p).StructureSetROISequence] == ["Heart"]
    )
    before, after = read_structure_set(path), read_structure_set(ours)
    assert [c.points_mm.tolist() for c in after.rois[0].contours] == [
        c.points_mm.tolist() for c in before.rois[0].contours
    ]
    exported_ct = {dcmread(p).SOPInstanceUID for p in (tmp_path / "out" / "CT_Image").iterdir()}
    series = dcmread(ours).ReferencedFrameOfReferenceSequence[0]
    series = series.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert {i.ReferencedSOPInstanceUID for i in series.ContourImageSequence} == exported_ct


@pytest.mark.parametrize("deidentify", [False, True])
@pytest.mark.parametrize("returning", ["compare", "learn"])
def test_what_was_approved_and_what_came_back_under_its_uid_both_leave(
    tmp_path: Path, returning: str, deidentify: bool
) -> None:
    """Neither file takes the place of the other."""
    case = deliver_a_case(tmp_path, returning=returning)
    ds = case.edited(WIDER)
    ds.SOPInstanceUID = case.received_by_tps().SOPInstanceUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    case.comes_back(ds)
    report = export_case(case.room, case.case_id, tmp_path / "out", deidentify=deidentify)
    found = list((tmp_path / "out" / "RT_Structure_Set").iterdir())
    assert len(found) == report.written["RT Structure Set Storage"] == 2
    assert len({_rightmost_mm(path) for path in found}) == 2


def _rightmost_mm(structure_set: Path) -> float:
    (heart,) = read_structure_set(structure_set).rois
    return max(float(contour.points_mm[:, 0].max()) for contour in heart.contours)


def test_a_slice_that_was_read_after_all_leaves_with_its_series(room: Room, tmp_path: Path) -> None:
    """The machine was short of memory when it was read first: a CT with a hole would leave."""
    case_id = _case_id(room)
    (slice_, *_) = room.store.instances.of_series(room.store.cases.get(case_id).series_instance_uid)
    room.store.quarantine.damaged(slice_, reason="test", now=room.now())
    assert assemble(room, case_id, slice_.header.series_instance_uid) == "assembled"
    assert room.store.quarantine.count() == 0
    report = export_case(room, case_id, tmp_path / "out", deidentify=False)
    assert report.written["CT Image Storage"] == 4


def test_objects_kept_aside_or_in_quarantine_do_not_leave(room: Room, tmp_path: Path) -> None:
    (ct, *_) = identified()
    study = str(ct.StudyInstanceUID)
    ct.SliceThickness = "7"  # another object under a UID that is taken
    receive(room, written([ct], tmp_path / "other"))
    dose = next(i for i in room.store.exports.of_study(study) if i.header.modality == "RTDOSE")
    with room.store.engine.begin() as connection:
        connection.execute(
            sa.insert(quarantine).values(
                path=dose.path,
                sha256=dose.sha256,
                size_bytes=1,
                calling_ae_title="TPS",
                instance_id=dose.id,
                reason="test",
                quarantined_at=room.now(),
            )
        )
    report = export_study(room, study, tmp_path / "out", deidentify=False)
    assert report.written == {
        "CT Image Storage": 4,
        "RT Structure Set Storage": 1,
        "RT Plan Storage": 1,
    }
    slices = [dcmread(p) for p in (tmp_path / "out" / "CT_Image").iterdir()]
    assert {float(ds.SliceThickness) for ds in slices} == {3.0}


def test_what_cannot_be_made_anonymous_is_left_out_and_told(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    series = ct_series(shape=(3, 8, 8))
    series[1].BurnedInAnnotation = "YES"
    receive(room, written(series, tmp_path / "sent"))
    study = str(series[0].StudyInstanceUID)
    report = export_study(room, study, tmp_path / "out", deidentify=True)
    assert report.written == {"CT Image Storage": 2}
    ((kind, reason),) = report.left_out
    assert kind == "CT Image Storage"
    assert reason.startswith("Burned In Annotation (0028,0301) is YES")


def test_an_export_is_audited(room: Room, tmp_path: Path) -> None:
    export_case(room, _case_id(room), tmp_path / "out", deidentify=True)
    with room.store.engine.connect() as connection:
        query = sa.select(audit).where(audit.c.event == "data.exported")
        (row,) = connection.execute(query).mappings()
    assert row["detail"] == {"instances": 7, "deidentified": True}


def test_a_folder_that_holds_something_is_refused(room: Room, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="not empty"):
        export_case(room, _case_id(room), tmp_path / "sent", deidentify=False)


def test_an_unknown_case_and_an_unknown_study_are_named_as_such(room: Room, tmp_path: Path) -> None:
    with pytest.raises(NoSuchCaseError):
        export_case(room, "0" * 32, tmp_path / "out", deidentify=False)
    with pytest.raises(ExportError, match="nothing of this study"):
        export_study(room, "1.2.3", tmp_path / "out", deidentify=False)


def test_the_command_prints_the_report_and_ends_with_1_where_something_was_left_out(
    tmp_path: Path,
) -> None:
    room = open_room(tmp_path)
    series = ct_series(shape=(2, 8, 8))
    series[1].BurnedInAnnotation = "YES"
    receive(room, written(series, tmp_path / "sent"))
    arguments = ["export", "--study", str(series[0].StudyInstanceUID), "--out"]
    end = ["--config", str(tmp_path / "config.yaml")]
    plain = CliRunner().invoke(app, [*arguments, str(tmp_path / "plain"), *end])
    assert plain.exit_code == 0, plain.output
    ended = CliRunner().invoke(app, [*arguments, str(tmp_path / "out"), "--deidentify", *end])
    assert ended.exit_code == 1
    assert "1 were left out" in ended.output
    neither = CliRunner().invoke(app, ["export", "--out", str(tmp_path / "x"), *end])
    assert neither.exit_code == 2
