"""What must never be learned from although it came back: told in one sentence, every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from core.geometry import Mask
from tests.support.returned_files import SENT, WIDER, Delivered, deliver_a_case
from tests.support.room import bring_up_to_date, receive
from tests.support.synthetic_dicom import ct_series, written


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    """One delivered case for all: none of these files may change what it teaches."""
    return deliver_a_case(tmp_path_factory.mktemp("room"), returning="learn")


def contours(ds: Dataset) -> list[Dataset]:
    return list(ds.ROIContourSequence[0].ContourSequence)


def empty(ds: Dataset) -> None:
    del ds.ROIContourSequence[0].ContourSequence


def beyond_the_last_slice(ds: Dataset) -> None:
    moved = contours(ds)[0]
    x_y_z = np.array(moved.ContourData, float).reshape(-1, 3)
    x_y_z[:, 2] += 500.0
    moved.ContourData = [f"{mm:.2f}" for mm in x_y_z.ravel()]


def a_point_among_them(ds: Dataset) -> None:
    contours(ds)[0].ContourGeometricType = "POINT"
    contours(ds)[0].ContourData = contours(ds)[0].ContourData[:3]
    contours(ds)[0].NumberOfContourPoints = 1


def a_slice_left_out(ds: Dataset) -> None:
    ds.ROIContourSequence[0].ContourSequence = [contours(ds)[k] for k in (0, 2, 3)]


def drawn_on_other_images(ds: Dataset) -> None:
    for contour in contours(ds):
        for image in contour.ContourImageSequence:
            image.ReferencedSOPInstanceUID = f"{image.ReferencedSOPInstanceUID}.9"


def of_nobody(ds: Dataset) -> None:
    ds.PatientID = ""


def rejected(ds: Dataset) -> None:
    ds.ApprovalStatus = "REJECTED"


def older(ds: Dataset) -> None:
    ds.StructureSetDate = "20200101"


def heart_twice(ds: Dataset) -> None:
    for keyword in ("StructureSetROISequence", "ROIContourSequence"):
        sequence = getattr(ds, keyword)
        again = Dataset.from_json(sequence[0].to_json())
        for number in ("ROINumber", "ReferencedROINumber"):
            if number in again:
                setattr(again, number, 77)
        sequence.append(again)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (empty, "without contours"),
        (beyond_the_last_slice, "1 of 4 contours on no slice"),
        (a_point_among_them, "with contours that cannot be read"),
        (a_slice_left_out, "with slices left out in between"),
        (drawn_on_other_images, "on images that are not of this CT"),
        (of_nobody, "without the Patient ID of this case"),
        (rejected, "Approval Status REJECTED"),
        (older, "dated before what was sent"),
        (heart_twice, "twice in one structure set"),
    ],
)
def test_a_spoilt_structure_set_is_told_and_not_learned_from(
    delivered: Delivered, spoil: Callable[[Dataset], None], told: str
) -> None:
    ds = delivered.edited(WIDER)
    spoil(ds)
    delivered.comes_back(ds)
    store = delivered.room.store
    newest = store.returned.all()[0]
    assert told in newest.note
    assert newest.note.startswith("Heart came back ")
    assert newest.became is None
    assert store.returned.newest_correction(delivered.case_id, "Heart") == delivered.approved


def test_one_made_from_ours_that_names_no_series_is_told_and_not_learned_from(
    delivered: Delivered,
) -> None:
    ds, ours = delivered.edited(WIDER), Dataset()
    ours.ReferencedSOPInstanceUID = delivered.received_by_tps().SOPInstanceUID
    ds.PredecessorStructureSetSequence = [ours]
    del ds.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence
    delivered.comes_back(ds)
    newest = delivered.room.store.returned.all()[0]
    assert "without saying that it was drawn on this CT series" in newest.note
    assert (newest.matched_by, newest.became) == ("predecessor", None)


def test_a_heart_somewhere_else_is_not_an_edit(delivered: Delivered) -> None:
    elsewhere: Mask = np.roll(SENT, 9, axis=2)
    delivered.comes_back(delivered.edited(elsewhere))
    newest = delivered.room.store.returned.all()[0]
    assert "Dice of" in newest.note
    assert newest.became is None


def test_another_patient_s_structure_set_is_refused(delivered: Delivered) -> None:
    ds = delivered.edited(WIDER)
    ds.PatientID = "SOMEBODY ELSE"
    before = delivered.room.store.returned.all()
    delivered.comes_back(ds)
    assert delivered.room.store.returned.all() == before
    assert "another Patient ID" in delivered.room.store.instances.refusals(delivered.case_id)[-1]


def test_contours_of_another_frame_of_reference_do_not_join(delivered: Delivered) -> None:
    ds = delivered.edited(WIDER)
    ds.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = "1.2.3.4"
    ds.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3.4"
    before = delivered.room.store.returned.all()
    delivered.comes_back(ds)
    assert delivered.room.store.returned.all() == before


def test_a_sibling_series_in_the_same_frame_of_reference_gets_nothing(
    delivered: Delivered, tmp_path: Path
) -> None:
    """Two reconstructions of one scan share the frame of reference; only one was contoured."""
    (first,) = delivered.room.store.cases.all()
    sibling = ct_series(shape=SENT.shape, spacing_mm=(3.0, 2.0, 2.0))
    for ds in sibling:
        ds.SeriesInstanceUID = f"{ds.SeriesInstanceUID}.7"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"{ds.SOPInstanceUID}.7")
    receive(delivered.room, written(sibling, tmp_path))
    bring_up_to_date(delivered.room)
    (other,) = [c for c in delivered.room.store.cases.all() if c.id != first.id]
    ds = delivered.edited(WIDER)
    ds.ApprovalStatus = "REJECTED"  # so that the case of this module stays as it is
    delivered.comes_back(ds)
    assert delivered.room.store.returned.all(case_id=other.id) == []
    assert delivered.room.store.returned.all()[0].case_id == first.id
