"""Masks to SEG and back, read by position and by nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from core.errors import ConversionMismatchError, GeometryMismatchError, UnreadableObjectError
from core.geometry import Mask
from core.volume import CtVolume
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.seg_reader import read_seg
from dicom_node.objects.seg_writer import WrittenSegment, write_seg
from tests.dicom_node.structure_sets import MADE_AT, ball, ct_on_disk, flat_hu, heart_with_hole
from tests.support.enhanced_ct import enhanced_ct
from tests.support.synthetic_dicom import PATIENT_POSITIONS, ct_series, written


def seg_bytes(ct: CtVolume, paths: Sequence[Path], masks: dict[str, Mask], **changes: Any) -> bytes:
    """The SEG of `masks`, reviewed unless `changes` say otherwise."""
    arguments: dict[str, Any] = {
        "ct_paths": paths,
        "sop_instance_uid": "2.25.21",
        "series_instance_uid": "2.25.22",
        "description": "Reviewed and approved",
        "made_at": MADE_AT,
        "reviewer": "Berg^Anna",
        "software_versions": ("0.1.0", "abc"),
    }
    segments = [WrittenSegment(name, mask, "abc") for name, mask in masks.items()]
    return write_seg(ct, segments, **(arguments | changes))


def _read_back(content: bytes, ct: CtVolume, folder: Path) -> dict[str, Mask]:
    path = folder / "seg.dcm"
    path.write_bytes(content)
    return read_seg(path, ct.geometry)


def _require_the_image_of_each_frame(path: Path, images: Sequence[Dataset]) -> None:
    """Each frame lies where the image lies that it refers to."""
    positions = {str(ds.SOPInstanceUID): list(ds.ImagePositionPatient) for ds in images}
    seg = dcmread(path)
    (shared,) = seg.SharedFunctionalGroupsSequence
    turned = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert list(turned) == list(images[0].ImageOrientationPatient)
    for frame in seg.PerFrameFunctionalGroupsSequence:
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        found = frame.PlanePositionSequence[0].ImagePositionPatient
        assert list(found) == pytest.approx(positions[source.ReferencedSOPInstanceUID])


@pytest.mark.parametrize("patient_position", PATIENT_POSITIONS)
def test_every_voxel_comes_back_in_every_patient_position(
    patient_position: str, tmp_path: Path
) -> None:
    ct, paths = ct_on_disk(
        tmp_path / "ct",
        shape=(8, 14, 20),
        spacing_mm=(3.0, 2.0, 1.5),
        patient_position=patient_position,
    )
    heart = heart_with_hole(ct.geometry, radius_mm=10.0, hole_mm=4.0)
    heart[1, 2, 3] = True  # so that no mirror image is the same
    corner = np.zeros_like(heart)
    corner[0, 0, 0] = True
    found = _read_back(seg_bytes(ct, paths, {"Heart": heart, "Corner": corner}), ct, tmp_path)
    assert np.array_equal(found["Heart"], heart)
    assert np.array_equal(found["Corner"], corner)
    _require_the_image_of_each_frame(tmp_path / "seg.dcm", [dcmread(path) for path in paths])


def test_slices_of_uneven_distance_keep_their_places(tmp_path: Path) -> None:
    series = ct_series(shape=(9, 12, 10), hu=flat_hu)
    for ds in series[5:]:
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y, float(z) + 1.5 * (int(ds.InstanceNumber) - 5)]
    paths = written(series, tmp_path / "ct")
    ct = read_ct(paths)
    assert ct.geometry.slice_offsets_mm is not None
    heart = ball(ct.geometry, 8.0)
    found = _read_back(seg_bytes(ct, paths, {"Heart": heart}), ct, tmp_path)
    assert np.array_equal(found["Heart"], heart)
    _require_the_image_of_each_frame(tmp_path / "seg.dcm", series)


def test_an_enhanced_ct_is_referred_to_by_frame(tmp_path: Path) -> None:
    order = (3, 0, 5, 1, 4, 2)
    series = ct_series(hu=flat_hu)
    paths = written([enhanced_ct([series[k] for k in order])], tmp_path / "ct")
    ct = read_ct(paths)
    heart = np.zeros(ct.geometry.shape, np.bool_)
    heart[2, 3:6, 4:8] = heart[4, 2, 1] = True
    found = _read_back(seg_bytes(ct, paths, {"Heart": heart}), ct, tmp_path)
    assert np.array_equal(found["Heart"], heart)
    frames = dcmread(tmp_path / "seg.dcm").PerFrameFunctionalGroupsSequence
    sources = [f.DerivationImageSequence[0].SourceImageSequence[0] for f in frames]
    numbers = sorted(int(source.ReferencedFrameNumber) for source in sources)
    assert numbers == sorted((order.index(2) + 1, order.index(4) + 1))


def test_an_empty_prediction_is_an_empty_segment(tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct")
    nothing = np.zeros(ct.geometry.shape, np.bool_)
    found = _read_back(seg_bytes(ct, paths, {"Heart": nothing}, reviewer=None), ct, tmp_path)
    assert not found["Heart"].any()


def test_who_made_it_and_what_it_is_stand_in_codes(tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct")
    masks = {"Heart": ball(ct.geometry, 6.0), "Lung_L": ball(ct.geometry, 3.0)}
    for reviewer, kind, label in (
        (None, "AUTOMATIC", "PREDICTION"),
        ("Berg^Anna", "SEMIAUTOMATIC", "CORRECTION"),
    ):
        path = tmp_path / f"{label}.dcm"
        path.write_bytes(seg_bytes(ct, paths, masks, reviewer=reviewer))
        ds = dcmread(path)
        heart, lung = ds.SegmentSequence
        assert heart.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "91723000"
        code = heart.SegmentedPropertyTypeCodeSequence[0]
        assert (code.CodeValue, code.CodingSchemeDesignator) == ("80891009", "SCT")
        own = lung.SegmentedPropertyTypeCodeSequence[0]
        assert (own.CodingSchemeDesignator, own.CodeMeaning) == ("99RECONTOUR", "Lung_L")
        assert (heart.SegmentAlgorithmType, ds.ContentLabel) == (kind, label)
        algorithm = heart.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("Recontour", "abc")
        assert list(ds.SoftwareVersions) == ["0.1.0", "abc"]
        assert str(ds.get("ContentCreatorName") or "") == (reviewer or "")


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct")
    masks = {"Heart": ball(ct.geometry, 6.0)}
    assert seg_bytes(ct, paths, masks) == seg_bytes(ct, paths[::-1], masks)
    seg = dcmread(_kept(seg_bytes(ct, paths, masks), tmp_path))
    dates = {str(element.value) for element in seg.iterall() if element.VR in {"DA", "DT"}}
    assert dates <= {"19600101", "20260105", "20260304", "20260304050607"}


def test_odd_patient_attributes_do_not_break_it(tmp_path: Path) -> None:
    series = ct_series(hu=flat_hu)
    for ds in series:
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.PatientName, ds.PatientSex = "Żółć^Łucja", "X"
        ds.PatientBirthDate, ds.StudyDate, ds.StudyTime = "", "", ""
    paths = written(series, tmp_path / "ct")
    ct = read_ct(paths)
    seg = dcmread(_kept(seg_bytes(ct, paths, {"Heart": ball(ct.geometry, 6.0)}), tmp_path))
    assert str(seg.PatientName) == "Żółć^Łucja"
    assert seg.PatientSex == ""


@pytest.mark.parametrize("odd", ["00000000", "19500000", "not a date", "1950.01.02"])
def test_a_date_that_is_none_is_left_empty(odd: str, tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct")
    identity = replace(ct.identity, patient_birth_date=odd, study_date=odd, study_time="2561")
    masks = {"Heart": ball(ct.geometry, 6.0)}
    seg = dcmread(_kept(seg_bytes(replace(ct, identity=identity), paths, masks), tmp_path))
    assert (seg.PatientBirthDate or "").replace(".", "") in {"", "19500102"}
    assert not seg.StudyTime


def test_what_a_segmentation_cannot_hold_is_told(tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct")
    with pytest.raises(ConversionMismatchError, match="SEG could not be written"):
        seg_bytes(ct, paths, {"Heart": ball(ct.geometry, 6.0)[1:]})


def test_a_ct_that_is_not_whole_on_disk_is_refused(tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct")
    with pytest.raises(UnreadableObjectError, match="1 of the 6 images"):
        seg_bytes(ct, paths[1:], {"Heart": ball(ct.geometry, 6.0)})


def test_a_segmentation_that_lies_beside_the_voxels_is_refused(tmp_path: Path) -> None:
    """The reader must be able to fail: it guards what leaves the node."""
    ct, paths = ct_on_disk(tmp_path / "ct")
    seg = dcmread(_kept(seg_bytes(ct, paths, {"Heart": ball(ct.geometry, 6.0)}), tmp_path))
    x, y, z = seg.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient
    moved = [float(x) + 0.5, y, z]
    seg.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient = moved
    seg.save_as(tmp_path / "moved.dcm")
    with pytest.raises(GeometryMismatchError, match="do not lie on voxels"):
        read_seg(tmp_path / "moved.dcm", ct.geometry)


def _kept(content: bytes, folder: Path) -> Path:
    path = folder / "kept.dcm"
    path.write_bytes(content)
    return path
