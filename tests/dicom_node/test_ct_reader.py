from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import highdicom
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)

from core.errors import IrregularSeriesError, UnreadableObjectError
from core.geometry import IDENTITY_DIRECTIONS
from core.volume import CtVolume
from dicom_node.objects.ct_reader import ct_paths_in, read_ct
from tests.support.shared_data import shared_data
from tests.support.synthetic_dicom import PATIENT_POSITIONS, ct_series, ramp_hu, rtstruct, written


def _read(datasets: list[Dataset], folder: Path) -> CtVolume:
    return read_ct(written(datasets, folder))


def _expected(ct: CtVolume) -> np.ndarray:
    """What the field says at the place where the geometry puts each voxel."""
    indices = np.stack(np.meshgrid(*map(np.arange, ct.geometry.shape), indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(ct.geometry.index_to_mm(indices), -1, 0)
    return np.rint(ramp_hu(x, y, z))


@pytest.mark.parametrize("patient_position", PATIENT_POSITIONS)
def test_every_patient_position_is_read_canonical_and_in_its_place(
    patient_position: str, tmp_path: Path
) -> None:
    series = ct_series(
        patient_position=patient_position,
        shape=(5, 12, 9),
        spacing_mm=(3.0, 2.0, 1.5),
        centre_mm=(11.0, -7.0, 40.0),
    )
    ct = _read(series[::-1], tmp_path)
    assert np.allclose(ct.geometry.directions, IDENTITY_DIRECTIONS)
    assert np.array_equal(ct.volume.values, _expected(ct))
    assert ct.volume.values.dtype == np.int16
    assert ct.geometry.spacing_mm[0] == 3.0


@pytest.mark.parametrize("patient_position", PATIENT_POSITIONS)
def test_a_slice_index_leads_to_the_instance_at_that_height(
    patient_position: str, tmp_path: Path
) -> None:
    series = ct_series(patient_position=patient_position)
    ct = _read(series, tmp_path)
    height = {s.SOPInstanceUID: float(s.ImagePositionPatient[2]) for s in series}
    heights = [height[reference.sop_instance_uid] for reference in ct.slices]
    slices = np.arange(ct.geometry.shape[0])
    expected = ct.geometry.index_to_mm(np.column_stack([slices, slices * 0, slices * 0]))[:, 2]
    assert heights == pytest.approx(expected.tolist())
    assert heights == sorted(heights)


def test_highdicom_sees_the_same_volume(tmp_path: Path) -> None:
    series = ct_series(patient_position="FFS", shape=(6, 10, 8), spacing_mm=(2.5, 1.5, 1.25))
    ct = _read(series, tmp_path)
    oracle = highdicom.get_volume_from_series(series, dtype=np.int32).to_patient_orientation("HPL")
    assert np.array_equal(oracle.array, ct.volume.values)
    assert np.allclose(oracle.position, ct.geometry.origin_mm)
    assert np.allclose(oracle.spacing, ct.geometry.spacing_mm)


@pytest.mark.parametrize("transfer_syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_encodings_give_the_same_volume(transfer_syntax: UID, tmp_path: Path) -> None:
    plain = _read(ct_series(), tmp_path / "plain")
    series = ct_series()
    for ds in series:
        ds.file_meta.TransferSyntaxUID = transfer_syntax
        if transfer_syntax == ExplicitVRBigEndian:
            ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    assert np.array_equal(_read(series, tmp_path / "other").volume.values, plain.volume.values)


@pytest.mark.parametrize("transfer_syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_lossless_compression_gives_the_same_volume(transfer_syntax: str, tmp_path: Path) -> None:
    plain = _read(ct_series(shape=(3, 16, 16)), tmp_path / "plain")
    series = ct_series(shape=(3, 16, 16))
    for ds in series:
        _compress(ds, transfer_syntax)
    assert np.array_equal(_read(series, tmp_path / "packed").volume.values, plain.volume.values)


def _compress(ds: Dataset, transfer_syntax: str) -> None:
    if transfer_syntax != JPEG2000Lossless:
        ds.compress(transfer_syntax, generate_instance_uid=False)
        return
    stored = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    codestream = BytesIO()
    Image.fromarray(stored).save(codestream, "JPEG2000", no_jp2=True, irreversible=False)
    ds.PixelData = encapsulate([codestream.getvalue()])
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless


def test_each_slice_is_rescaled_by_its_own_slope_and_intercept(tmp_path: Path) -> None:
    series = ct_series()
    stored = np.frombuffer(series[2].PixelData, "<u2").astype(np.int64)
    series[2].RescaleSlope, series[2].RescaleIntercept = "0.5", "-2048"
    series[2].PixelData = (2 * (stored - 1024) + 4096).astype("<u2").tobytes()
    ct = _read(series, tmp_path)
    assert np.array_equal(ct.volume.values, _expected(ct))


def test_bits_above_the_stored_ones_do_not_count(tmp_path: Path) -> None:
    """Twelve bit scanners keep overlays in the upper four (PS3.5 8.1.1)."""
    series = ct_series()
    for ds in series:
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 1
        signed = np.frombuffer(ds.PixelData, "<u2").astype(np.int16) - 1024
        ds.PixelData = ((signed & 0x0FFF) | 0x5000).astype("<u2").tobytes()
        ds.RescaleIntercept = "0"
    ct = _read(series, tmp_path)
    assert np.array_equal(ct.volume.values, _expected(ct))


def test_padding_becomes_the_lowest_density(tmp_path: Path) -> None:
    series = ct_series()
    for ds in series:
        values = np.frombuffer(ds.PixelData, "<u2").copy()
        values[0], values[1] = 4095, 4094
        ds.PixelData = values.tobytes()
        ds.PixelPaddingValue, ds.PixelPaddingRangeLimit = 4095, 4094
        ds["PixelPaddingValue"].VR = ds["PixelPaddingRangeLimit"].VR = "US"
    ct = _read(series, tmp_path)
    assert (ct.volume.values == -1024).sum() == 2 * len(series)


def test_hounsfield_units_below_vacuum_are_padding_nobody_declared(tmp_path: Path) -> None:
    series = ct_series()
    for ds in series:
        ds.RescaleIntercept = "-4096"
    assert _read(series, tmp_path).volume.values.min() == -1024


def test_positions_rounded_by_the_scanner_are_even_enough(tmp_path: Path) -> None:
    series = ct_series(shape=(9, 4, 4), spacing_mm=(1.25, 2.0, 2.0))
    for ds in series:
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y, f"{float(z):.1f}"]
    assert _read(series, tmp_path).geometry.spacing_mm[0] == pytest.approx(1.25, abs=0.01)


def test_the_identity_of_the_series_goes_along(tmp_path: Path) -> None:
    series = ct_series(patient_position="HFP")
    for ds in series:
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.PatientName = "Müller^Jürgen"
    identity = _read(series, tmp_path).identity
    assert identity.patient_name == "Müller^Jürgen"
    assert identity.series_instance_uid == series[0].SeriesInstanceUID
    assert identity.patient_position == "HFP"


Change = Callable[[list[Dataset]], list[Dataset] | None]


def _without_third(series: list[Dataset]) -> list[Dataset]:
    return series[:2] + series[3:]


def _duplicate(series: list[Dataset]) -> None:
    series[3].ImagePositionPatient = series[2].ImagePositionPatient


def _wide_and_uneven(series: list[Dataset]) -> None:
    for ds, z in zip(series, (0.0, 8.0, 14.0, 25.0, 34.5, 41.0), strict=True):
        ds.ImagePositionPatient = [0, 0, z]


def _tilt(series: list[Dataset]) -> None:
    for k, ds in enumerate(series):
        x, y, z = map(float, ds.ImagePositionPatient)
        ds.ImagePositionPatient = [x, y + 0.05 * k, z]


def _rotate_one(series: list[Dataset]) -> None:
    series[2].ImageOrientationPatient = [0.9998, 0.02, 0, -0.02, 0.9998, 0]


def _other_spacing(series: list[Dataset]) -> None:
    series[2].PixelSpacing = [2.0, 2.001]


def _other_size(series: list[Dataset]) -> None:
    series[2].Rows -= 1


def _other_frame_of_reference(series: list[Dataset]) -> None:
    series[2].FrameOfReferenceUID = "1.2.3"


def _no_frame_of_reference(series: list[Dataset]) -> None:
    del series[2].FrameOfReferenceUID


def _other_series(series: list[Dataset]) -> None:
    series[2].SeriesInstanceUID = "1.2.3"


def _other_patient(series: list[Dataset]) -> None:
    series[2].PatientID = "P2"


def _one_slice(series: list[Dataset]) -> list[Dataset]:
    return series[:1]


def _another_modality(series: list[Dataset]) -> None:
    series[2].SOPClassUID = MRImageStorage


def _sagittal(series: list[Dataset]) -> None:
    for k, ds in enumerate(series):
        ds.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        ds.ImagePositionPatient = [3.0 * k, 0, 0]


def _density_map(series: list[Dataset]) -> None:
    series[2].RescaleType = "EDW"


def _multi_frame(series: list[Dataset]) -> None:
    for ds in series:
        ds.NumberOfFrames = 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_without_third, "slice is missing between -4.50 and 1.50 mm"),
        (_duplicate, "Two slices lie at"),
        (_wide_and_uneven, "6.00 to 11.00 mm apart"),
        (_tilt, r"gantry tilt or shear of 1\.0 degrees"),
        (_rotate_one, "not parallel"),
        (_other_spacing, "Pixel Spacing runs from"),
        (_other_size, "expected one size"),
        (_other_frame_of_reference, "2 different frames of reference"),
        (_no_frame_of_reference, "no Frame of Reference"),
        (_other_series, "2 different series"),
        (_other_patient, "2 different patients"),
        (_one_slice, "at least 2"),
        (_another_modality, "expected CT Image Storage"),
        (_sagittal, "not axial"),
        (_density_map, "Hounsfield"),
        (_multi_frame, "one frame"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_a_series_that_is_no_stack_is_refused_with_the_reason(
    change: Change, sentence: str, tmp_path: Path
) -> None:
    series = ct_series()
    series = change(series) or series
    with pytest.raises(IrregularSeriesError, match=sentence):
        _read(series, tmp_path)


def test_a_refusal_does_not_name_the_patient(tmp_path: Path) -> None:
    series = ct_series(patient="SECRET7")
    _tilt(series)
    with pytest.raises(IrregularSeriesError) as refused:
        _read(series, tmp_path)
    assert "SECRET7" not in str(refused.value)


@pytest.mark.parametrize(
    ("attribute", "value", "sentence"),
    [
        ("Rows", 60000, "60000"),
        ("NumberOfFrames", 2_000_000_000, "2000000000 frames"),
        ("ImagePositionPatient", [1, 2], "3 finite numbers"),
        ("ImagePositionPatient", None, "has no ImagePositionPatient"),
        ("RescaleSlope", None, "has no RescaleSlope"),
        ("PixelData", b"\0\0", "cut short"),
        ("PixelData", b"", "no Pixel Data"),
        ("SamplesPerPixel", 3, "in colour"),
        ("ImageOrientationPatient", [1, 0, 0, 0.5, 0.5, 0], "perpendicular"),
    ],
)
def test_an_instance_that_cannot_be_right_is_refused_before_its_pixels_are_read(
    attribute: str, value: object, sentence: str, tmp_path: Path
) -> None:
    series = ct_series()
    for ds in series:
        if value is None:
            del ds[attribute]
        else:
            setattr(ds, attribute, value)
    with pytest.raises(UnreadableObjectError, match=sentence):
        _read(series, tmp_path)


def test_a_file_that_is_not_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not DICOM at all")
    with pytest.raises(UnreadableObjectError, match="not a DICOM file"):
        read_ct([tmp_path / "notes.txt"])


def test_only_ct_images_are_taken_from_a_folder(tmp_path: Path) -> None:
    series = ct_series()
    paths = written(series, tmp_path / "ct")
    written([rtstruct(series, {"Heart": []})], tmp_path / "rs")
    (tmp_path / "README.md").write_text("a note")
    assert ct_paths_in(tmp_path) == sorted(paths)


def test_a_real_feet_first_chest_ct_is_read_with_its_padding_as_air() -> None:
    ct = read_ct(ct_paths_in(shared_data("chest-crlm-1006") / "CT"))
    assert ct.geometry.shape == (51, 512, 512)
    assert ct.geometry.spacing_mm == pytest.approx((5.0, 0.804688, 0.804688))
    assert ct.geometry.origin_mm == pytest.approx((-191.0, -167.199997, -376.440002))
    assert ct.volume.values.min() == -1024
    assert ct.volume.values.max() == 1184


def test_a_real_tilted_head_ct_is_refused() -> None:
    with pytest.raises(IrregularSeriesError, match=r"gantry tilt or shear of 18\.5 degrees"):
        read_ct(ct_paths_in(shared_data("odd-gantry-tilt-dcm_qa_ct")))
