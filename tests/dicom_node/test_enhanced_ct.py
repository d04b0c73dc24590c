"""Enhanced CT: one instance alone is a whole series."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from core.errors import IrregularSeriesError, UnreadableObjectError
from core.volume import CtVolume
from dicom_node.objects.ct_reader import ct_paths_in, read_ct
from tests.support.enhanced_ct import enhanced_ct, frame_heights_mm
from tests.support.shared_data import shared_data
from tests.support.synthetic_dicom import PATIENT_POSITIONS, ct_series, uid, written


def _read(datasets: list[Dataset], folder: Path) -> CtVolume:
    return read_ct(written(datasets, folder))


@pytest.mark.parametrize("patient_position", PATIENT_POSITIONS)
def test_an_enhanced_ct_gives_the_volume_of_its_single_images(
    patient_position: str, tmp_path: Path
) -> None:
    plain = _read(ct_series(patient_position=patient_position), tmp_path / "plain")
    shuffled = [ct_series(patient_position=patient_position)[k] for k in (3, 0, 5, 1, 4, 2)]
    ct = _read([enhanced_ct(shuffled)], tmp_path / "enhanced")
    assert ct.geometry == plain.geometry
    assert np.array_equal(ct.volume.values, plain.volume.values)
    assert "Enhanced CT: 6 frames in 1 instance(s)." in ct.findings


def test_each_slice_refers_to_its_frame(tmp_path: Path) -> None:
    instance = enhanced_ct([ct_series()[k] for k in (3, 0, 5, 1, 4, 2)])
    ct = _read([instance], tmp_path)
    numbers = [reference.frame_number for reference in ct.slices]
    assert numbers == [2, 4, 6, 1, 5, 3]
    heights = ct.geometry.index_to_mm([(k, 0, 0) for k in range(6)])[:, 2]
    assert frame_heights_mm(instance)[np.array(numbers) - 1] == pytest.approx(heights)
    assert {reference.sop_class_uid for reference in ct.slices} == {EnhancedCTImageStorage}


def test_a_single_image_names_no_frame(tmp_path: Path) -> None:
    assert {reference.frame_number for reference in _read(ct_series(), tmp_path).slices} == {None}


def test_each_frame_is_rescaled_by_its_own_slope_and_intercept(tmp_path: Path) -> None:
    plain = _read(ct_series(), tmp_path / "plain")
    series = ct_series()
    stored = np.frombuffer(series[2].PixelData, "<u2").astype(np.int64)
    series[2].RescaleSlope, series[2].RescaleIntercept = "0.5", "-2048"
    series[2].PixelData = (2 * (stored - 1024) + 4096).astype("<u2").tobytes()
    ct = _read([enhanced_ct(series)], tmp_path / "enhanced")
    assert np.array_equal(ct.volume.values, plain.volume.values)
    assert any("2 different rescale" in finding for finding in ct.findings)


def test_a_legacy_converted_series_gives_the_volume_of_its_single_images(tmp_path: Path) -> None:
    series = ct_series(patient_position="FFS")
    plain = _read(series, tmp_path / "plain")
    converted = highdicom.legacy.LegacyConvertedEnhancedCTImage(
        [dcmread(path) for path in ct_paths_in(tmp_path / "plain")],
        series_instance_uid=uid("converted"),
        series_number=3,
        sop_instance_uid=uid("converted", "instance"),
        instance_number=1,
    )
    assert converted.SOPClassUID == LegacyConvertedEnhancedCTImageStorage
    (tmp_path / "converted").mkdir()
    converted.save_as(tmp_path / "converted" / "ct.dcm")
    ct = read_ct(ct_paths_in(tmp_path / "converted"))
    assert ct.geometry == plain.geometry
    assert np.array_equal(ct.volume.values, plain.volume.values)


def test_two_instances_may_share_a_series(tmp_path: Path) -> None:
    plain = _read(ct_series(), tmp_path / "plain")
    series = ct_series()
    ct = _read([enhanced_ct(series[:2]), enhanced_ct(series[2:])], tmp_path / "two")
    assert np.array_equal(ct.volume.values, plain.volume.values)
    assert ct.slices[1].sop_instance_uid != ct.slices[2].sop_instance_uid


def test_stacks_one_above_the_other_are_one_series(tmp_path: Path) -> None:
    instance = enhanced_ct(ct_series(), stacks="AAABBB")
    assert _read([instance], tmp_path).geometry.shape[0] == 6


@pytest.mark.parametrize(
    ("stacks", "phases"), [("ABABAB", (1,) * 6), ("A" * 6, (1, 2) * 3), ("A" * 6, (1, 1, 2) * 2)]
)
def test_frames_of_several_passes_through_the_same_tissue_are_refused(
    stacks: str, phases: tuple[int, ...], tmp_path: Path
) -> None:
    with pytest.raises(IrregularSeriesError, match="2 stacks or temporal positions that overlap"):
        _read([enhanced_ct(ct_series(), stacks=stacks, phases=phases)], tmp_path)


def _without_positions(ds: Dataset) -> None:
    del ds.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence


def _one_group_short(ds: Dataset) -> None:
    del ds.PerFrameFunctionalGroupsSequence[2]


def _without_rescaling(ds: Dataset) -> None:
    del ds.PerFrameFunctionalGroupsSequence[2].PixelValueTransformationSequence


def _short_pixels(ds: Dataset) -> None:
    ds.PixelData = ds.PixelData[:-2]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_without_positions, "PlanePositionSequence"),
        (_one_group_short, "6 frames and 5 items"),
        (_without_rescaling, "PixelValueTransformationSequence"),
        (_short_pixels, "cut short"),
    ],
)
def test_a_broken_enhanced_ct_is_refused_with_the_reason(
    change: object, sentence: str, tmp_path: Path
) -> None:
    instance = enhanced_ct(ct_series())
    assert callable(change)
    change(instance)
    with pytest.raises(UnreadableObjectError, match=sentence):
        _read([instance], tmp_path)


def test_a_real_enhanced_ct_of_perfusion_values_is_refused_and_not_taken_for_a_ct() -> None:
    path = shared_data("odd-pydicom") / "pydicom-data" / "eCT_Supplemental.dcm"
    with pytest.raises(IrregularSeriesError, match="Rescale Type 'US'; expected Hounsfield"):
        read_ct([path])
