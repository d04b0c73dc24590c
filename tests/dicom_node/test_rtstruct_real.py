"""Structure sets of real planning systems, with what is known to be in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

from core.geometry import Points
from core.rasterise import mask_of_contours
from dicom_node.objects.ct_reader import ct_paths_in, read_ct
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.support.shared_data import shared_data


@dataclass(frozen=True)
class Known:
    """What a file holds: contours of each ROI, the area of one in cm2, sentences told."""

    file: str
    contours: dict[str, int]
    area_cm2: tuple[str, float]
    approval_status: str = "UNAPPROVED"
    series: str | None = None
    told: tuple[str, ...] = ()


_MIM = {"ROI-1": 3, "ROI-2": 3, "ROI-3": 3, "ROI-4": 3}
_MIM_SERIES = "2.16.840.1.114362.1.11940992.23790159890.563423471.893.88"
_MIM_AREA = ("ROI-1", 13.014)
_ECLIPSE = {
    "BODY": 141,
    "Areola": 0,
    "Borders": 2,
    "Breast": 48,
    "Heart": 33,
    "Lt Lung": 165,
    "Nodes": 4,
    "Scar": 6,
    "Tumor Bed": 18,
    "Tumor Bed Block": 24,
}
_KNOWN = [
    Known(
        "eclipse-breast-dicompyler/rtss.dcm",
        _ECLIPSE,
        # 439.77 cc on planes of 3 mm by polygons (expected.json); dicompyler says 440.2
        area_cm2=("Heart", 439.77 / 0.3),
        approval_status="APPROVED",
        series="2.16.840.1.113662.2.12.0.3057.1241703565.43",
    ),
    Known(
        "odd-rtstruct-rtutils/mock_data/invalid_reference_rt.dcm",
        _MIM,
        _MIM_AREA,
        series=_MIM_SERIES,
    ),
    Known("odd-rtstruct-rtutils/empty/dummy_rt.dcm", _MIM, _MIM_AREA, series=_MIM_SERIES),
    Known("odd-rtstruct-rtutils/mock_data/non_existent_reference_rt.dcm", _MIM, _MIM_AREA),
    # a frame of 24 mm and, as a contour of its own, another inside it
    Known(
        "odd-rtstruct-rtutils/mock_data/rt.dcm",
        {"ROI-1": 2},
        area_cm2=("ROI-1", 5.76 + 2.245),
        series=_MIM_SERIES,
    ),
    # no preamble and no meta information, no image references, closing points repeated
    Known(
        "odd-pydicom/test_files/rtstruct.dcm",
        {"patient": 3, "Isocenter 1": 0, "Isocenter 2": 0},
        area_cm2=("patient", 3 * 40.0 * 30.0),
        approval_status="",
        series="1.2.826.0.1.3680043.8.498.2010020400001.2.1.1",
        told=("Points and open lines were left out: 1.",) * 2,
    ),
    # made from masks; the areas are those of the voxels in the NIfTI files
    Known(
        "chest-crlm-1006/rt/RS.silver.dcm",
        {"Heart": 16, "BODY": 51},
        area_cm2=("Heart", 1112.72),
        series="1.3.6.1.4.1.14519.5.2.1.9203.8273.286130801613533577338339572281",
    ),
    Known(
        "chest-totalsegmentator-aorta/rt/RS.silver.dcm",
        {"Heart": 63, "BODY": 164},
        area_cm2=("Heart", 4816.24),
        series="1.2.826.0.1.3680043.8.498.25069974098109265386739367938609279900",
    ),
]


@pytest.mark.parametrize("known", _KNOWN, ids=[k.file for k in _KNOWN])
def test_a_real_structure_set_is_read_whole(known: Known) -> None:
    folder, _, file = known.file.partition("/")
    structure_set = read_structure_set(shared_data(folder) / file)
    assert {roi.roi_name: len(roi.contours) for roi in structure_set.rois} == known.contours
    assert structure_set.approval_status == known.approval_status
    assert structure_set.referenced_series_instance_uid == known.series
    told = tuple(finding for roi in structure_set.rois for finding in roi.findings)
    assert structure_set.findings + told == known.told
    roi_name, area_cm2 = known.area_cm2
    roi = structure_set.roi_named(roi_name)
    assert roi is not None
    assert roi.contours_damaged == 0
    found_cm2 = sum(_area_mm2(contour.points_mm) for contour in roi.contours) / 100.0
    assert found_cm2 == pytest.approx(area_cm2, rel=3e-4)


def _area_mm2(contour: Points) -> float:
    x, y = contour[:, 0], contour[:, 1]
    return abs(float(0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))


def test_the_coordinates_of_eclipse_are_those_that_pydicom_finds() -> None:
    path = shared_data("eclipse-breast-dicompyler") / "rtss.dcm"
    heart = read_structure_set(path).roi_named("heart")
    assert heart is not None
    by_pydicom = dcmread(path).ROIContourSequence[4].ContourSequence
    for contour, item in zip(heart.contours, by_pydicom, strict=True):
        assert contour.points_mm.ravel().tolist() == [float(v) for v in item.ContourData]


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
