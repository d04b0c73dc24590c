"""Series that are odd and still one volume: what is read of them, and what is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from core.errors import IrregularSeriesError
from core.rasterise import contours_of_mask, mask_of_contours
from core.volume import CtVolume
from dicom_node.objects.ct_reader import read_ct
from tests.support.synthetic_dicom import PATIENT_POSITIONS, ct_series, ramp_hu, written
from tests.support.uneven_series import ZONES, named, uneven_series

PADDING = (
    "SHARE % of the voxels are padding outside the field of view; they say nothing about the "
    "patient."
)


def _read(datasets: list[Dataset], folder: Path) -> CtVolume:
    return read_ct(written(datasets, folder))


def _expected(ct: CtVolume) -> np.ndarray:
    """What the field says at the place where the geometry puts each voxel."""
    x, y, z = np.moveaxis(
        ct.geometry.index_to_mm(np.moveaxis(np.indices(ct.geometry.shape), 0, -1)), -1, 0
    )
    return np.rint(ramp_hu(x, y, z))


@pytest.mark.parametrize("patient_position", PATIENT_POSITIONS)
def test_a_series_of_two_zones_is_read_at_its_true_places(
    patient_position: str, tmp_path: Path
) -> None:
    ct = _read(uneven_series(ZONES, patient_position=patient_position)[::-1], tmp_path)
    assert np.array_equal(ct.volume.values, _expected(ct))
    assert ct.geometry.slice_offsets_mm is not None
    gaps = np.diff(ct.geometry.slice_offsets_mm)
    assert sorted(gaps.round(6).tolist()) == [2.5] * 4 + [5.0] * 4
    assert any("unevenly spaced, 2.50 to 5.00 mm" in finding for finding in ct.findings)


@pytest.mark.parametrize("patient_position", PATIENT_POSITIONS)
def test_a_mask_comes_back_from_its_contours_in_every_patient_position(
    patient_position: str, tmp_path: Path
) -> None:
    ct = _read(uneven_series(ZONES, patient_position=patient_position), tmp_path)
    mask = np.random.default_rng(7).random(ct.geometry.shape) < 0.5
    contours = contours_of_mask(mask, ct.geometry)
    written_mm = [np.round(c, 3) for polygons in contours.values() for c in polygons]
    assert np.array_equal(mask_of_contours(written_mm, ct.geometry).mask, mask)


@pytest.mark.parametrize(
    "heights_mm",
    [
        # One slice moved by hand.
        (0.0, 3.0, 6.4, 9.0, 12.0, 15.0),
        # No two gaps alike.
        (0.0, 2.3, 6.4, 9.4, 14.1, 16.0, 21.2),
        # From one zone to the other over a gap of neither.
        (0.0, 1.0, 2.0, 3.0, 4.0, 7.0, 12.0, 17.0, 22.0, 27.0),
    ],
)
def test_irregular_places_are_kept(heights_mm: tuple[float, ...], tmp_path: Path) -> None:
    ct = _read(uneven_series(heights_mm), tmp_path)
    assert ct.geometry.slice_offsets_mm == pytest.approx(heights_mm)
    assert np.array_equal(ct.volume.values, _expected(ct))


@pytest.mark.parametrize(
    ("heights_mm", "sentence"),
    [
        ((0, 3, 6, 12, 15, 18), "missing between 6.00 and 12.00 mm: slices lie 3.00 mm apart"),
        ((0, 3, 6, 9, 18, 21), "missing between 9.00 and 18.00 mm"),
        ((0, 6, 9, 12, 15), "missing between 0.00 and 6.00 mm"),
        ((0, 3, 6, 12, 18, 21, 24), "missing between 6.00 and 12.00 mm"),
        ((0, 3, 9, 12, 18, 21, 27), "missing between 3.00 and 9.00 mm"),
        ((0, 5, 10, 15, 20, 30, 32.5, 35, 37.5), "missing between 20.00 and 30.00 mm"),
        ((0, 5, 10, 15, 20, 22.5, 27.5, 30, 32.5), "missing between 22.50 and 27.50 mm"),
        ((0, 3, 6, 9, 17.7, 20.7), "missing between 9.00 and 17.70 mm"),
        ((0, 3, 6.03, 6, 9, 12), "Two slices lie at"),
        ((0, 7, 15, 26, 35.5), "7.00 to 11.00 mm apart"),
    ],
)
def test_a_hole_in_the_stack_is_refused_and_never_bridged(
    heights_mm: tuple[float, ...], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(IrregularSeriesError, match=sentence):
        _read(uneven_series(heights_mm), tmp_path)


def _scout(image_type: list[str]) -> Dataset:
    """A lateral localizer of the same series."""
    (scout,) = ct_series(shape=(1, 20, 30))
    named(scout, "2.25.77")
    scout.ImageType = image_type
    scout.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    scout.PixelSpacing = [1, 1]
    return scout


@pytest.mark.parametrize("flavour", ["LOCALIZER", "AXIAL"])
def test_a_localizer_is_left_out_and_said(flavour: str, tmp_path: Path) -> None:
    plain = _read(ct_series(), tmp_path / "plain")
    series = ct_series()
    scout = _scout(["ORIGINAL", "PRIMARY", flavour])
    ct = _read([scout, *series], tmp_path / "mixed")
    assert ct.geometry == plain.geometry
    assert np.array_equal(ct.volume.values, plain.volume.values)
    assert "2.25.77" not in {s.sop_instance_uid for s in ct.slices}
    assert "1 localizer image(s) came with the series and were left out." in ct.findings


def test_a_declared_localizer_needs_nothing_that_a_slice_needs(tmp_path: Path) -> None:
    scout = _scout(["ORIGINAL", "PRIMARY", "LOCALIZER"])
    del scout.PixelSpacing, scout.RescaleSlope, scout.ImagePositionPatient
    scout.FrameOfReferenceUID = "2.25.8"
    assert len(_read([*ct_series(), scout], tmp_path).slices) == 6


@pytest.mark.parametrize("orientation", [[0, 1, 0, 0, 0, -1], [0.9998, 0.02, 0, -0.02, 0.9998, 0]])
def test_a_turned_slice_of_the_same_size_is_refused_and_not_taken_for_a_localizer(
    orientation: list[float], tmp_path: Path
) -> None:
    series = ct_series()
    series[2].ImageOrientationPatient = orientation
    with pytest.raises(IrregularSeriesError, match="not parallel"):
        _read(series, tmp_path)


def test_a_series_of_localizers_alone_is_refused(tmp_path: Path) -> None:
    series = ct_series()
    for ds in series:
        ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    with pytest.raises(IrregularSeriesError, match=r"0 slice\(s\) beside 6 localizer"):
        _read(series, tmp_path)


def test_a_localizer_of_another_patient_is_not_overlooked(tmp_path: Path) -> None:
    scout = _scout(["ORIGINAL", "PRIMARY", "LOCALIZER"])
    scout.PatientID = "P2"
    with pytest.raises(IrregularSeriesError, match="2 different patients"):
        _read([*ct_series(), scout], tmp_path)


def test_what_the_series_is_is_said(tmp_path: Path) -> None:
    series = ct_series(patient_position="FFS", patient="SECRET7")
    series[2].RescaleIntercept = "-1000"
    stored = np.frombuffer(series[0].PixelData, "<u2").copy()
    stored[:24] = 0
    series[0].PixelData = stored.tobytes()
    for ds in series:
        ds.PixelPaddingValue = 0
        ds["PixelPaddingValue"].VR = "US"
    findings = _read(series, tmp_path).findings
    assert findings == (
        "6 slices of 12 x 10 pixels of 2.000 x 2.000 mm, 3.00 mm apart; patient position FFS.",
        "2 different rescale slopes and intercepts; each slice has its own.",
        PADDING.replace("SHARE", "3.3"),
    )


def test_padding_nobody_declared_is_counted_but_noise_in_air_is_not(tmp_path: Path) -> None:
    series = ct_series()
    for ds in series:
        ds.PixelRepresentation = 1
        ds.RescaleIntercept = "0"
        stored = np.full((12, 10), -1000, "<i2")
        stored[0], stored[1] = -3024, -1100
        ds.PixelData = stored.tobytes()
    ct = _read(series, tmp_path)
    assert PADDING.replace("SHARE", "8.3") in ct.findings
    assert ct.volume.values.min() == -1024
