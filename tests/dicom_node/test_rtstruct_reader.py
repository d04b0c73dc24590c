from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset

from core.errors import UnreadableObjectError
from core.rasterise import mask_of_contours
from core.structures import StructureSet
from dicom_node.objects.ct_reader import ct_paths_in, read_ct
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.support.shared_data import shared_data
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


def _cut_short(ds: Dataset) -> None:
    contour = ds.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = contour.ContourData[:-3]


def _odd_count(ds: Dataset) -> None:
    contour = ds.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = contour.ContourData[:-1]


def _a_dose(ds: Dataset) -> None:
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.2"


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_no_rois, "has no StructureSetROISequence"),
        (_two_frames, "names 2 frames of reference"),
        (_no_frame, "names 0 frames of reference"),
        (_cut_short, "holds 9 coordinates and announces 12"),
        (_odd_count, "holds 11 coordinates"),
        (_a_dose, "expected RT Structure Set"),
    ],
)
def test_what_cannot_be_placed_or_trusted_is_refused(
    spoil: Callable[[Dataset], None], sentence: str, tmp_path: Path
) -> None:
    ds = rtstruct(ct_series(), {"Heart": [(_SQUARE, None)], "Lung": [(_SQUARE, None)]})
    spoil(ds)
    with pytest.raises(UnreadableObjectError, match=sentence):
        _read(ds, tmp_path)


@pytest.mark.parametrize(
    "coordinates", [b"1\\2\\3\\4\\5\\x\\7\\8\\9", b"1\\2\\3\\4\\5\\nan\\7\\8\\9 "]
)
def test_coordinates_that_are_no_numbers_are_refused(coordinates: bytes, tmp_path: Path) -> None:
    ds = rtstruct(ct_series(), {"Heart": [([[1, 2, 3], [4, 5, 6], [7, 8, 9]], None)]})
    (path,) = written([ds], tmp_path)
    good = b"\\".join(f"{v:.6f}".encode() for v in range(1, 10))
    bad = coordinates.ljust(len(good))
    content = path.read_bytes()
    assert good in content
    path.write_bytes(content.replace(good, bad))
    with pytest.raises(UnreadableObjectError, match="coordinates that are not"):
        read_structure_set(path)


def test_a_real_structure_set_of_eclipse_is_read_whole() -> None:
    path = shared_data("eclipse-breast-dicompyler") / "rtss.dcm"
    structure_set = read_structure_set(path)
    counts = {roi.roi_name: len(roi.contours) for roi in structure_set.rois}
    assert counts["Heart"] == 33
    assert counts["Areola"] == 0
    assert structure_set.approval_status == "APPROVED"
    heart = structure_set.roi_named("heart")
    assert heart is not None
    by_pydicom = dcmread(path).ROIContourSequence[4].ContourSequence[0].ContourData
    assert heart.contours[0].points_mm.ravel().tolist() == [float(v) for v in by_pydicom]


def test_real_structure_sets_with_wrong_references_keep_their_contours() -> None:
    folder = shared_data("odd-rtstruct-rtutils") / "mock_data"
    invalid = read_structure_set(folder / "invalid_reference_rt.dcm")
    absent = read_structure_set(folder / "non_existent_reference_rt.dcm")
    assert [len(roi.contours) for roi in invalid.rois] == [3, 3, 3, 3]
    assert absent.referenced_series_instance_uid is None


def test_a_real_file_without_meta_information_is_refused() -> None:
    with pytest.raises(UnreadableObjectError, match="not a DICOM file"):
        read_structure_set(shared_data("odd-pydicom") / "test_files" / "rtstruct.dcm")


def test_the_silver_heart_paints_as_the_mask_it_was_made_from() -> None:
    """NIfTI read by SimpleITK, contours by us: two ways to the same voxels."""
    folder = shared_data("chest-crlm-1006")
    ct = read_ct(ct_paths_in(folder / "CT"))
    heart = read_structure_set(folder / "rt" / "RS.silver.dcm").roi_named("Heart")
    assert heart is not None
    painted = mask_of_contours([c.points_mm for c in heart.contours], ct.geometry)
    image = sitk.ReadImage(str(folder / "heart_silver.nii.gz"))
    # SimpleITK gives LPS positions; the volume may run the other way along an axis.
    silver = sitk.GetArrayFromImage(sitk.DICOMOrient(image, "LPS")) > 0  # type: ignore[no-untyped-call]
    assert painted.contours_off_grid == 0
    assert np.array_equal(painted.mask, silver)
