from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, RLELossless, RTPlanStorage

from core.errors import UnreadableObjectError
from core.geometry import IDENTITY_DIRECTIONS, VolumeGeometry
from dicom_node.objects.rtdose_reader import ReadDose, read_dose
from dose.grid import sample_dose
from tests.dicom_node.beam_doses import beam_dose
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


@pytest.mark.parametrize("patient_position", ["HFS", "HFP"])
def test_offsets_may_be_patient_coordinates_head_first(
    patient_position: str, tmp_path: Path
) -> None:
    ds = rtdose(
        _slope_gy, patient_position=patient_position, offsets="absolute", centre_mm=(0, 0, 50.0)
    )
    _require_truth(_read(ds, tmp_path), within_gy=1e-5)


@pytest.mark.parametrize("patient_position", ["FFS", "FFP", "FFDR", "FFDL"])
def test_patient_coordinates_feet_first_are_refused_since_readers_differ(
    patient_position: str, tmp_path: Path
) -> None:
    """PS3.3 C.8.8.3.2 has them for (1,0,0,0,1,0) alone; ITK and plastimatch mirror the others."""
    ds = rtdose(
        _slope_gy, patient_position=patient_position, offsets="absolute", centre_mm=(0, 0, 50.0)
    )
    with pytest.raises(UnreadableObjectError, match="offsets that begin with 0"):
        _read(ds, tmp_path)


def test_sixteen_bits_are_scaled_too(tmp_path: Path) -> None:
    _require_truth(_read(rtdose(_slope_gy, bits=16), tmp_path), within_gy=1e-3)


def test_a_big_endian_dose_is_the_same_dose(tmp_path: Path) -> None:
    ds = rtdose(_slope_gy, bits=16)
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    _require_truth(_read(ds, tmp_path), within_gy=1e-3)


@pytest.mark.parametrize("order", [">u4", ">u2"], ids=["all four bytes", "each word by itself"])
def test_a_big_endian_dose_of_32_bits_is_refused_since_programs_differ(
    order: str, tmp_path: Path
) -> None:
    """pydicom turns all four bytes of a pixel, DCMTK each of its two words (PS3.5 6.2, OW)."""
    ds = rtdose(_slope_gy)
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    ds.PixelData = np.frombuffer(ds.PixelData, "<" + order[1:]).astype(order).tobytes()
    with pytest.raises(UnreadableObjectError, match="Little Endian"):
        _read(ds, tmp_path)


def test_a_compressed_dose_is_the_same_dose(tmp_path: Path) -> None:
    ds = rtdose(_slope_gy, bits=16)
    ds.compress(RLELossless, generate_instance_uid=False)
    _require_truth(_read(ds, tmp_path), within_gy=1e-3)


def test_references_and_kind_go_along(tmp_path: Path) -> None:
    ct = ct_series()[0]
    dose = _read(rtdose(_slope_gy, ct=ct, plan_uid="1.2.3.4"), tmp_path)
    assert dose.volume.geometry.frame_of_reference_uid == ct.FrameOfReferenceUID
    origin = dose.origin
    assert origin.plan_uids == ("1.2.3.4",)
    assert (origin.dose_type, origin.summation_type) == ("PHYSICAL", "PLAN")


def test_planes_that_drift_away_from_an_even_lattice_are_refused(tmp_path: Path) -> None:
    """Each gap is within its tolerance, and the middle plane 0.75 mm from where it would be."""
    ds = rtdose(_slope_gy, shape=(51, 4, 4), spacing_mm=(3.0, 5.0, 5.0))
    gaps = [2.97] * 25 + [3.03] * 25
    ds.GridFrameOffsetVector = [round(sum(gaps[:k]), 2) for k in range(51)]
    with pytest.raises(UnreadableObjectError, match="expected one distance"):
        _read(ds, tmp_path)


def test_a_dose_without_a_plan_is_read(tmp_path: Path) -> None:
    ds = rtdose(_slope_gy)
    del ds.ReferencedRTPlanSequence
    assert _read(ds, tmp_path).origin.plan_uids == ()


@pytest.mark.parametrize(
    ("attribute", "value", "sentence"),
    [
        ("DoseUnits", "RELATIVE", "expected GY"),
        ("DoseType", "ERROR", "dose difference"),
        ("DoseType", None, "has no DoseType"),
        ("DoseSummationType", None, "has no DoseSummationType"),
        ("DoseGridScaling", "0", "expected more than 0"),
        ("DoseGridScaling", "-0.001", "expected more than 0"),
        ("DoseGridScaling", None, "has no DoseGridScaling"),
        ("GridFrameOffsetVector", [0, 3, 6, 9, 13], "expected one distance"),
        ("GridFrameOffsetVector", [0, 0, 0, 0, 0], "expected one distance"),
        ("GridFrameOffsetVector", [0, 3, 6, 9], "5 planes and 4 offsets"),
        ("GridFrameOffsetVector", None, "has no GridFrameOffsetVector"),
        ("NumberOfFrames", 6, "6 planes and 5 offsets"),
        ("NumberOfFrames", None, "1 planes and 5 offsets"),
        ("PixelData", bytes(1000), "was cut short"),
        ("PixelSpacing", [0, 2.5], "Pixel Spacing"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "perpendicular"),
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


def test_a_single_plane_needs_no_offsets_and_speaks_of_itself_alone(tmp_path: Path) -> None:
    ds = rtdose(_slope_gy, shape=(1, 6, 7), centre_mm=(3.0, 2.0, 8.0))
    del ds.GridFrameOffsetVector
    del ds.NumberOfFrames
    dose = _read(ds, tmp_path).volume
    _require_truth(ReadDose(dose, _read(ds, tmp_path).origin), within_gy=1e-5)
    around = VolumeGeometry((3, 5, 5), (-2.0, -3.0, 5.0), (3.0, 2.5, 2.5), ds.FrameOfReferenceUID)
    sampled = sample_dose(dose, around, np.ones(around.shape, np.bool_))
    covered = sampled.inside.reshape(around.shape)
    assert covered.any(axis=(1, 2)).tolist() == [False, True, False]


def test_a_signed_dose_is_the_same_dose(tmp_path: Path) -> None:
    ds = rtdose(_slope_gy, bits=16)
    values = np.frombuffer(ds.PixelData, "<u2") // 2
    ds.DoseGridScaling = float(ds.DoseGridScaling) * 2
    ds.PixelRepresentation, ds.PixelData = 1, values.astype("<i2").tobytes()
    _require_truth(_read(ds, tmp_path), within_gy=2e-3)


def test_a_dose_below_zero_is_refused(tmp_path: Path) -> None:
    ds = rtdose(_slope_gy, bits=16)
    values = np.frombuffer(ds.PixelData, "<u2").astype("<i2") // 2
    values[7] = -5
    ds.PixelRepresentation, ds.PixelData = 1, values.tobytes()
    with pytest.raises(UnreadableObjectError, match="expected none below 0"):
        _read(ds, tmp_path)


@pytest.mark.parametrize(
    "orientation",
    [
        (0, 1, 0, 0, 0, -1),  # sagittal
        (1, 0, 0, 0, 0, -1),  # coronal
        (0.8, 0.6, 0, -0.6, 0.8, 0),  # turned about the long axis
        (0.96, 0, 0.28, 0, 1, 0),  # tilted
    ],
)
def test_any_orientation_is_put_where_it_lies(
    orientation: tuple[float, ...], tmp_path: Path
) -> None:
    """Each voxel's dose, by the formula of PS3.3 C.7.6.2.1.1, is found at its position."""
    ds = rtdose(_slope_gy, shape=(4, 5, 6), spacing_mm=(3.0, 2.0, 2.5))
    ds.ImageOrientationPatient = list(orientation)
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    k, j, i = np.meshgrid(*map(np.arange, (4, 5, 6)), indexing="ij")
    first = np.asarray(ds.ImagePositionPatient, float)
    offset = 2.5 * i[..., None] * row + 2.0 * j[..., None] * column
    positions = first + offset + 3.0 * k[..., None] * np.cross(row, column)
    values = _slope_gy(*np.moveaxis(positions, -1, 0))
    ds.DoseGridScaling = 1e-6
    ds.PixelData = np.rint(values / 1e-6).astype("<u4").tobytes()
    volume = _read(ds, tmp_path).volume
    indices = np.stack(np.meshgrid(*map(np.arange, volume.geometry.shape), indexing="ij"), axis=-1)
    found = _slope_gy(*np.moveaxis(volume.geometry.index_to_mm(indices), -1, 0))
    assert np.allclose(volume.values, found, rtol=0, atol=1e-4)


def test_a_beam_dose_names_its_beams(tmp_path: Path) -> None:
    ds = beam_dose(rtdose(_slope_gy, plan_uid="1.2.3.4"), beams=(1, 3))
    origin = _read(ds, tmp_path).origin
    assert (origin.summation_type, origin.plan_uids) == ("BEAM", ("1.2.3.4",))
    assert origin.beams == ((1, 1), (1, 3))


def test_one_dose_of_two_plans_must_say_so(tmp_path: Path) -> None:
    ds = rtdose(_slope_gy, plan_uid="1.2.3.4")
    second = Dataset()
    second.ReferencedSOPClassUID, second.ReferencedSOPInstanceUID = RTPlanStorage, "1.2.3.5"
    ds.ReferencedRTPlanSequence.append(second)
    with pytest.raises(UnreadableObjectError, match="2 plans are named"):
        _read(ds, tmp_path)
    ds.DoseSummationType = "MULTI_PLAN"
    assert _read(ds, tmp_path).origin.plan_uids == ("1.2.3.4", "1.2.3.5")
