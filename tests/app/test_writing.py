"""The RTSTRUCTs that leave the node: the same at every try, and saying what they are."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from app import delivering, writing
from app.room import SOFTWARE_VERSION, Room
from core.geometry import Mask
from tests.app.made_prediction import MODEL, made_prediction
from tests.dicom_node.structure_sets import ball, ct_on_disk
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive


def _room_with_case(folder: Path) -> tuple[Room, str, Mask]:
    """A room with one assembled case, and a mask on it."""
    ct, paths = ct_on_disk(folder / "ct", shape=(8, 32, 32))
    room = open_room(folder)
    receive(room, paths)
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    return room, case.id, ball(ct.geometry, 11.0)


def _dataset(content: bytes) -> Dataset:
    return dcmread(BytesIO(content))


def test_a_repeated_send_is_the_same_object_byte_for_byte(tmp_path: Path) -> None:
    room, case_id, mask = _room_with_case(tmp_path)
    approved = approve_mask(room, case_id, mask)
    path = writing.write_approved(room, approved)
    first = path.read_bytes()
    path.unlink()  # as if the disk had been lost between two tries
    assert writing.write_approved(room, approved).read_bytes() == first


def test_a_kept_file_that_is_damaged_is_written_anew_before_it_is_sent(tmp_path: Path) -> None:
    room, case_id, mask = _room_with_case(tmp_path)
    approved = approve_mask(room, case_id, mask)
    path = writing.write_approved(room, approved)
    first = path.read_bytes()
    ds = _dataset(first)
    contour = ds.ROIContourSequence[0].ContourSequence[0]
    moved = [float(value) for value in contour.ContourData]
    moved[0] += 30.0
    contour.ContourData = moved
    ds.save_as(path)
    assert path.read_bytes() != first
    assert writing.write_approved(room, approved).read_bytes() == first
    path.write_bytes(first[: len(first) // 2])  # torn
    assert writing.write_approved(room, approved).read_bytes() == first


def test_a_correction_names_the_model_whose_prediction_was_corrected(tmp_path: Path) -> None:
    room, case_id, mask = _room_with_case(tmp_path)
    made = made_prediction(room, case_id, mask)
    ct = room.store.files.read_ct(case_id, made.assembly)
    offered = _dataset(writing.offer(room, made, ct, mask).read_bytes())
    approved = approve_mask(room, case_id, mask)
    sent = _dataset(writing.write_approved(room, approved).read_bytes())
    for ds in (offered, sent):
        assert list(ds.SoftwareVersions) == [SOFTWARE_VERSION, "model c0ffee000000", MODEL]
    assert (offered.ApprovalStatus, sent.ApprovalStatus) == ("UNAPPROVED", "APPROVED")
    assert offered.SOPInstanceUID != sent.SOPInstanceUID


def test_a_contour_drawn_from_nothing_names_no_model(tmp_path: Path) -> None:
    room, case_id, mask = _room_with_case(tmp_path)
    approved = approve_mask(room, case_id, mask)
    ds = _dataset(writing.write_approved(room, approved).read_bytes())
    assert list(ds.SoftwareVersions) == [SOFTWARE_VERSION, "model none"]
    (code,) = ds.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence
    assert (code.CodeValue, code.CodeMeaning) == ("7088", "Heart")


def test_what_is_approved_after_re_opening_is_another_object_that_says_so(tmp_path: Path) -> None:
    room, case_id, mask = _room_with_case(tmp_path)
    first = approve_mask(room, case_id, mask)
    (row,) = room.store.deliveries.all()
    room.store.deliveries.sent(row.id, sop_instance_uid="1.2.3", now=room.now())
    room.store.flow.reopen(case_id, "Heart", who="anna", reason="too small", now=room.now())
    second = approve_mask(room, case_id, mask)
    before, after = (
        _dataset(writing.write_approved(room, each).read_bytes()) for each in (first, second)
    )
    assert (before.StructureSetLabel, after.StructureSetLabel) == ("Recontour", "Recontour v2")
    assert after.SeriesDescription == "Reviewed and approved, version 2"
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert after.SeriesInstanceUID == before.SeriesInstanceUID
    assert "PredecessorStructureSetSequence" not in before
    (replaced,) = after.PredecessorStructureSetSequence
    assert replaced.ReferencedSOPInstanceUID == before.SOPInstanceUID


def test_structure_sets_of_a_case_with_several_structures_are_told_apart_by_their_label(
    tmp_path: Path,
) -> None:
    room, case_id, mask = _room_with_case(tmp_path)
    routing = room.store.cases.get(case_id).routing
    assert routing is not None
    room.store.cases.routed(case_id, replace(routing, structures=("Heart", "Esophagus")))
    approved = approve_mask(room, case_id, mask)
    ds = _dataset(writing.write_approved(room, approved).read_bytes())
    assert ds.StructureSetLabel == "Heart"


@pytest.mark.parametrize(
    ("roi_name", "version", "label"),
    [
        ("Esophagus", 1, "Esophagus"),
        ("Brachial_Plexs_L", 1, "Brachial_Plexs_L"),
        ("Brachial_Plexs_L", 2, "Brachial_~s_L v2"),
        ("Brachial_Plexs_R", 2, "Brachial_~s_R v2"),
        ("Glnd_Submand_R", 12, "Glnd_Sub~d_R v12"),
    ],
)
def test_a_label_that_is_too_long_keeps_the_side(roi_name: str, version: int, label: str) -> None:
    assert writing.label_of(roi_name, version) == label


def test_a_disk_that_is_away_for_a_moment_does_not_hold_the_delivery(tmp_path: Path) -> None:
    """Held waits for a person; this is tried again by itself."""
    room, case_id, mask = _room_with_case(tmp_path)
    approved = approve_mask(room, case_id, mask)
    (kept,) = room.settings.data_folder.rglob(f"correction-{approved.id}.mask")
    away = kept.rename(tmp_path / "away")
    kept.mkdir()  # cannot be opened as a file
    (row,) = room.store.deliveries.all()
    assert delivering.deliver(room, row.id) == "failed"
    (row,) = room.store.deliveries.all()
    assert (row.state, row.attempts) == ("QUEUED", 1)
    assert "cannot be read or written now (IsADirectoryError)" in row.last_error
    kept.rmdir()
    away.rename(kept)
    assert writing.write_approved(room, approved).is_file()
