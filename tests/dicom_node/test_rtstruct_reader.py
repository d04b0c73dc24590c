from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from core.errors import UnreadableObjectError
from core.structures import StructureSet
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.support.synthetic_dicom import ct_series, rtstruct, written

_SQUARE = [[0, 0, 1.5], [8.25, 0, 1.5], [8.25, 4, 1.5], [0, 4, 1.5]]


def _read(ds: Dataset, folder: Path) -> StructureSet:
    return read_structure_set(written([ds], folder)[0])


def test_rois_come_with_number_type_colour_and_contours(tmp_path: Path) -> None:
    ct = ct_series()
    image = str(ct[3].SOPInstanceUID)
    ds = rtstruct(ct, {"BODY": [], "Heart": [(_SQUARE, image)]})
    structure_set = _read(ds, tmp_path)
    body, heart = structure_set.rois
    assert (body.roi_number, body.roi_name, body.contours) == (1, "BODY", ())
    assert (heart.roi_number, heart.interpreted_type, heart.colour) == (2, "ORGAN", (0, 255, 0))
    assert np.array_equal(heart.contours[0].points_mm, _SQUARE)
    assert heart.contours[0].referenced_sop_instance_uid == image
    assert structure_set.frame_of_reference_uid == ct[0].FrameOfReferenceUID
    assert structure_set.referenced_series_instance_uid == ct[0].SeriesInstanceUID
    assert (structure_set.label, structure_set.approval_status) == ("TPS", "UNAPPROVED")


def test_of_two_rois_of_one_name_the_one_with_contours_is_found(tmp_path: Path) -> None:
    ds = rtstruct(ct_series(), {"Heart": [], "HEART": [(_SQUARE, None)], "heart ": []})
    structure_set = _read(ds, tmp_path)
    heart = structure_set.roi_named("Heart")
    assert heart is not None
    assert heart.roi_number == 2
    assert structure_set.findings == (
        "3 ROIs are named heart; the first that has contours is taken for it.",
    )


def test_names_are_found_without_regard_to_case(tmp_path: Path) -> None:
    structure_set = _read(rtstruct(ct_series(), {"HEART ": []}), tmp_path)
    heart = structure_set.roi_named("heart")
    assert heart is not None


def test_points_and_open_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    ds = rtstruct(ct_series(), {"Heart": [([[1, 2, 3]], None), (_SQUARE, None), (_SQUARE, None)]})
    ds.ROIContourSequence[0].ContourSequence[2].ContourGeometricType = "OPEN_PLANAR"
    (heart,) = _read(ds, tmp_path).rois
    assert (len(heart.contours), heart.contours_left_out) == (1, 2)


def test_a_repeated_first_point_is_dropped(tmp_path: Path) -> None:
    ds = rtstruct(ct_series(), {"Heart": [([*_SQUARE, _SQUARE[0]], None)]})
    assert len(_read(ds, tmp_path).rois[0].contours[0].points_mm) == 4


def test_a_contour_without_an_image_reference_is_read(tmp_path: Path) -> None:
    (heart,) = _read(rtstruct(ct_series(), {"Heart": [(_SQUARE, None)]}), tmp_path).rois
    assert heart.contours[0].referenced_sop_instance_uid is None


def test_a_structure_set_without_colours_and_observations_is_read(tmp_path: Path) -> None:
    ds = rtstruct(ct_series(), {"Heart": [(_SQUARE, None)]})
    del ds.RTROIObservationsSequence
    del ds.ROIContourSequence[0].ROIDisplayColor
    (heart,) = _read(ds, tmp_path).rois
    assert heart.interpreted_type == ""
    assert len(heart.contours) == 1


def _no_rois(ds: Dataset) -> None:
    del ds.StructureSetROISequence


def _two_frames(ds: Dataset) -> None:
    ds.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"


def _no_frame(ds: Dataset) -> None:
    del ds.ReferencedFrameOfReferenceSequence
    for roi in ds.StructureSetROISequence:
        del roi.ReferencedFrameOfReferenceUID


def _a_dose(ds: Dataset) -> None:
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_no_rois, "has no StructureSetROISequence"),
        (_two_frames, "names 2 frames of reference"),
        (_no_frame, "names 0 frames of reference"),
        (_a_dose, "expected RT Structure Set"),
    ],
)
def test_what_cannot_be_placed_is_refused(
    spoil: Callable[[Dataset], None], sentence: str, tmp_path: Path
) -> None:
    ds = rtstruct(ct_series(), {"Heart": [(_SQUARE, None)], "Lung": [(_SQUARE, None)]})
    spoil(ds)
    with pytest.raises(UnreadableObjectError, match=sentence):
        _read(ds, tmp_path)
