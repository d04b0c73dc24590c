"""Real doses: the grid their bytes describe, or the refusal they deserve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.uid import UID, ImplicitVRLittleEndian, RTDoseStorage

from core.errors import UnreadableObjectError
from core.geometry import IDENTITY_DIRECTIONS
from dicom_node.objects.rtdose_reader import read_dose
from tests.support.shared_data import shared_data

READABLE = {
    "eclipse-breast-dicompyler/rtdose.dcm": ((98, 129, 194), (3.0, 2.5, 2.5), 14.68),
    "odd-rtdose-varian-feet-first/RD.TBB_feet_in_supine.dcm": (
        (81, 101, 101),
        (2.5, 2.0, 2.0),
        1.62193,
    ),
    "odd-rtdose-varian-feet-first/RD.TBC_feet_in_supine.dcm": (
        (81, 101, 101),
        (2.5, 2.0, 2.0),
        1.61764,
    ),
    # Its makers wrote no scaling: the figure is what the file says.
    "odd-rtdose-varian-feet-first/eyeplan_tdose.dcm": ((1, 129, 194), (1.0, 2.5, 2.5), 9896.0),
}
REFUSED = {
    f"odd-pydicom/test_files/{name}.dcm": "Dose Units .* RELATIVE"
    for name in (
        "rtdose",
        "rtdose_1frame",
        "rtdose_expb",
        "rtdose_expb_1frame",
        "rtdose_rle",
        "rtdose_rle_1frame",
    )
}


@pytest.mark.parametrize("name", READABLE)
def test_a_real_dose_is_read_with_its_size_and_maximum(name: str) -> None:
    folder, file = name.split("/")
    dose = read_dose(shared_data(folder) / file)
    shape, spacing_mm, maximum_gy = READABLE[name]
    assert dose.volume.geometry.shape == shape
    assert dose.volume.geometry.spacing_mm == pytest.approx(spacing_mm)
    assert dose.volume.values.max() == pytest.approx(maximum_gy, rel=1e-3)
    assert np.allclose(dose.volume.geometry.directions, IDENTITY_DIRECTIONS)
    assert (dose.origin.summation_type, len(dose.origin.plan_uids)) == ("PLAN", 1)


@pytest.mark.parametrize("name", REFUSED)
def test_a_real_dose_that_says_nothing_in_gray_is_refused(name: str) -> None:
    folder, file = name.split("/", 1)
    with pytest.raises(UnreadableObjectError, match=REFUSED[name]):
        read_dose(shared_data(folder) / file)


@pytest.mark.parametrize("name", [name for name, (shape, *_) in READABLE.items() if shape[0] > 1])
def test_simpleitk_finds_the_same_dose_at_the_same_places(name: str) -> None:
    folder, file = name.split("/")
    path = shared_data(folder) / file
    dose = read_dose(path).volume
    image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")  # type: ignore[no-untyped-call]
    scaling = float(dcmread(path, stop_before_pixels=True).DoseGridScaling)
    assert image.GetOrigin() == pytest.approx(dose.geometry.origin_mm, abs=1e-3)
    assert image.GetSpacing()[::-1] == pytest.approx(dose.geometry.spacing_mm, abs=1e-4)
    found = sitk.GetArrayFromImage(image)
    # SimpleITK applies the scaling or not, depending on its version.
    gray = found if np.issubdtype(found.dtype, np.floating) else found * scaling
    assert np.allclose(gray, dose.values, atol=1e-4)


@pytest.mark.parametrize("name", ["RD.TBB_feet_in_supine.dcm", "RD.TBC_feet_in_supine.dcm"])
def test_real_feet_first_doses_are_turned_to_face_like_every_other(name: str) -> None:
    path = shared_data("odd-rtdose-varian-feet-first") / name
    dose = read_dose(path)
    stored = dcmread(path)
    # As stored, rows run to the patient's right and frames towards the feet (PS3.3 C.8.8.3.2).
    frames = stored.pixel_array * float(stored.DoseGridScaling)
    assert np.allclose(dose.volume.values, frames[::-1, :, ::-1], atol=1e-5)
    assert dose.volume.geometry.origin_mm == pytest.approx(
        (99.90417554 - 200, -99.38342162, 100 - 200)
    )
    assert np.allclose(dose.volume.geometry.directions, IDENTITY_DIRECTIONS)


def test_a_real_dose_with_descending_offsets_and_oblong_pixels(tmp_path: Path) -> None:
    """The file lacks its identity, its frame of reference and its kind; only these are added."""
    ds = dcmread(
        shared_data("odd-rtdose-varian-feet-first") / "rtdose_non_square_pixels.dcm", force=True
    )
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = RTDoseStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID("1.2.3")
    ds.FrameOfReferenceUID = "1.2.4"
    ds.DoseType, ds.DoseSummationType = "PHYSICAL", "PLAN"
    ds.save_as(tmp_path / "dose.dcm", enforce_file_format=True)
    geometry = read_dose(tmp_path / "dose.dcm").volume.geometry
    values = read_dose(tmp_path / "dose.dcm").volume.values
    assert geometry.spacing_mm == pytest.approx((1.0197368, 1.03125, 1.0078947))
    assert geometry.origin_mm[2] == pytest.approx(18.5 - 77.5)
    assert np.array_equal(values[-1], (ds.pixel_array[0] * 0.15).astype(np.float32))
