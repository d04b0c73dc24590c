from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless, RTDoseStorage

from core.errors import UnreadableObjectError
from core.geometry import IDENTITY_DIRECTIONS
from dicom_node.objects.rtdose_reader import ReadDose, read_dose
from tests.support.shared_data import shared_data
from tests.support.synthetic_dicom import PATIENT_POSITIONS, ct_series, rtdose, written


def _slope_gy(x: Any, y: Any, z: Any) -> Any:
    """Different along each axis, never negative within 40 mm of the origin."""
    return 30.0 + 0.1 * x + 0.2 * y + 0.3 * z


def _read(ds: Dataset, folder: Path) -> ReadDose:
    return read_dose(written([ds], folder)[0])


def _require_truth(dose: ReadDose, *, within_gy: float) -> None:
    geometry = dose.volume.geometry
    indices = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(geometry.index_to_mm(indices), -1, 0)
    assert np.allclose(dose.volume.values, _slope_gy(x, y, z), rtol=0, atol=within_gy)
    assert np.allclose(geometry.directions, IDENTITY_DIRECTIONS)


@pytest.mark.parametrize("patient_position", PATIENT_POSITIONS)
@pytest.mark.parametrize("offsets", ["relative", "descending"])
def test_the_dose_lies_where_it_was_computed(
    patient_position: str, offsets: str, tmp_path: Path
) -> None:
    ds = rtdose(
        _slope_gy,
        patient_position=patient_position,
        offsets=offsets,
        centre_mm=(5.0, -3.0, 12.0),
        spacing_mm=(3.0, 2.0, 2.5),
    )
    dose = _read(ds, tmp_path)
    _require_truth(dose, within_gy=1e-5)
    assert dose.volume.values.dtype == np.float32


@pytest.mark.parametrize("patient_position", ["HFS", "FFS", "HFP", "FFP"])
def test_offsets_may_be_patient_coordinates(patient_position: str, tmp_path: Path) -> None:
    ds = rtdose(
        _slope_gy, patient_position=patient_position, offsets="absolute", centre_mm=(0, 0, 50.0)
    )
    _require_truth(_read(ds, tmp_path), within_gy=1e-5)


def test_sixteen_bits_are_scaled_too(tmp_path: Path) -> None:
    _require_truth(_read(rtdose(_slope_gy, bits=16), tmp_path), within_gy=1e-3)


def test_a_big_endian_dose_is_the_same_dose(tmp_path: Path) -> None:
    ds = rtdose(_slope_gy)
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    ds.PixelData = np.frombuffer(ds.PixelData, "<u4").astype(">u4").tobytes()
    _require_truth(_read(ds, tmp_path), within_gy=1e-5)


def test_a_compressed_dose_is_the_same_dose(tmp_path: Path) -> None:
    ds = rtdose(_slope_gy, bits=16)
    ds.compress(RLELossless, generate_instance_uid=False)
    _require_truth(_read(ds, tmp_path), within_gy=1e-3)


def test_references_and_kind_go_along(tmp_path: Path) -> None:
    ct = ct_series()[0]
    dose = _read(rtdose(_slope_gy, ct=ct, plan_uid="1.2.3.4"), tmp_path)
    assert dose.frame_of_reference_uid == ct.FrameOfReferenceUID
    assert dose.volume.geometry.frame_of_reference_uid == ct.FrameOfReferenceUID
    assert dose.referenced_plan_uid == "1.2.3.4"
    assert (dose.dose_units, dose.dose_type, dose.dose_summation_type) == ("GY", "PHYSICAL", "PLAN")


def test_a_dose_without_a_plan_is_read(tmp_path: Path) -> None:
    ds = rtdose(_slope_gy)
    del ds.ReferencedRTPlanSequence
    assert _read(ds, tmp_path).referenced_plan_uid is None


@pytest.mark.parametrize(
    ("attribute", "value", "sentence"),
    [
        ("DoseUnits", "RELATIVE", "expected GY"),
        ("DoseType", "ERROR", "dose difference"),
        ("DoseGridScaling", "0", "expected more than 0"),
        ("DoseGridScaling", None, "has no DoseGridScaling"),
        ("GridFrameOffsetVector", [0, 3, 6, 9, 13], "expected one distance"),
        ("GridFrameOffsetVector", [0, 0, 0, 0, 0], "expected one distance"),
        ("GridFrameOffsetVector", [0, 3, 6, 9], "5 planes and 4 offsets"),
        ("GridFrameOffsetVector", [17, 20, 23, 26, 29], "begins with 17"),
        ("FrameOfReferenceUID", None, "has no FrameOfReferenceUID"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.481.3", "expected RT Dose"),
    ],
)
def test_a_dose_that_cannot_be_placed_or_scaled_is_refused(
    attribute: str, value: object, sentence: str, tmp_path: Path
) -> None:
    ds = rtdose(_slope_gy)
    if value is None:
        del ds[attribute]
    else:
        setattr(ds, attribute, value)
    with pytest.raises(UnreadableObjectError, match=sentence):
        _read(ds, tmp_path)


def test_a_single_plane_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableObjectError, match="at least 2"):
        _read(rtdose(_slope_gy, shape=(1, 6, 6)), tmp_path)


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
    """The file lacks its identity and its frame of reference; only these are added."""
    ds = dcmread(
        shared_data("odd-rtdose-varian-feet-first") / "rtdose_non_square_pixels.dcm", force=True
    )
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = RTDoseStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID("1.2.3")
    ds.FrameOfReferenceUID = "1.2.4"
    dose = _read(ds, tmp_path)
    geometry = dose.volume.geometry
    assert geometry.spacing_mm == pytest.approx((1.0197368, 1.03125, 1.0078947))
    assert geometry.origin_mm[2] == pytest.approx(18.5 - 77.5)
    assert np.array_equal(dose.volume.values[-1], (ds.pixel_array[0] * 0.15).astype(np.float32))


def test_the_plan_dose_of_eclipse_is_read_with_its_own_maximum() -> None:
    dose = read_dose(shared_data("eclipse-breast-dicompyler") / "rtdose.dcm")
    assert dose.volume.values.max() == pytest.approx(14.68, abs=0.01)
    assert dose.volume.geometry.shape == (98, 129, 194)


@pytest.mark.parametrize("name", ["rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm"])
def test_real_relative_doses_are_refused(name: str) -> None:
    with pytest.raises(UnreadableObjectError, match="RELATIVE"):
        read_dose(shared_data("odd-pydicom") / "test_files" / name)
