from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from app.room import SOFTWARE_VERSION, software_versions
from core.errors import GeometryMismatchError
from core.rasterise import mask_of_contours
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtstruct_reader import read_structure_set
from dicom_node.objects.rtstruct_writer import ReviewedBy
from tests.dicom_node.structure_sets import (
    MADE_AT,
    ball,
    ct_on_disk,
    heart_with_hole,
    structure_set_bytes,
)
from tests.support.settings import settings_for
from tests.support.synthetic_dicom import PATIENT_POSITIONS, ct_series, written


def _dataset(content: bytes) -> Dataset:
    return dcmread(BytesIO(content))


@pytest.mark.parametrize("patient_position", PATIENT_POSITIONS)
def test_every_patient_position_gives_the_mask_back(patient_position: str, tmp_path: Path) -> None:
    ct, _ = ct_on_disk(
        tmp_path / "ct",
        patient_position=patient_position,
        shape=(9, 30, 24),
        spacing_mm=(3.0, 1.5, 1.25),
    )
    mask = heart_with_hole(ct.geometry, radius_mm=11.0, hole_mm=5.0)
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, {"Heart": mask}))
    (heart,) = read_structure_set(tmp_path / "rs.dcm").rois
    read = mask_of_contours([c.points_mm for c in heart.contours], ct.geometry)
    assert np.array_equal(read.mask, mask)


def test_each_contour_refers_to_the_image_it_lies_on(tmp_path: Path) -> None:
    series = ct_series(patient_position="FFS", shape=(5, 8, 8))
    height = {s.SOPInstanceUID: float(s.ImagePositionPatient[2]) for s in series}
    ct, _ = ct_on_disk(tmp_path, patient_position="FFS", shape=(5, 8, 8))
    ds = _dataset(structure_set_bytes(ct, {"Heart": ball(ct.geometry, 5.0)}))
    contours = ds.ROIContourSequence[0].ContourSequence
    assert len(contours) > 1
    for contour in contours:
        (image,) = contour.ContourImageSequence
        assert height[image.ReferencedSOPInstanceUID] == pytest.approx(contour.ContourData[2])


@pytest.mark.parametrize(
    "centre_mm", [(-1234.5678, 2345.6789, -3456.789), (1e5, -1e5, 99999.9995), (-1e8, 1e8, 0.0)]
)
def test_decimals_have_at_most_16_characters_and_a_micrometre(
    centre_mm: tuple[float, float, float], tmp_path: Path
) -> None:
    ct, _ = ct_on_disk(tmp_path, centre_mm=centre_mm)
    ds = _dataset(structure_set_bytes(ct, {"Heart": ball(ct.geometry, 6.0)}))
    for contour in ds.ROIContourSequence[0].ContourSequence:
        written_as = str(contour.get_item("ContourData").value, "ascii").strip().split("\\")
        assert len(written_as) == 3 * contour.NumberOfContourPoints
        assert max(map(len, written_as)) <= 16
        assert all(len(text.partition(".")[2]) == 3 for text in written_as)
        assert "-0.000" not in written_as


def test_it_belongs_to_the_study_and_the_frame_of_reference_of_the_ct(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path)
    ds = _dataset(structure_set_bytes(ct, {"Heart": ball(ct.geometry, 6.0)}))
    first = ct_series()[0]
    assert ds.StudyInstanceUID == first.StudyInstanceUID
    assert ds.SeriesInstanceUID == "2.25.12"
    assert ds.FrameOfReferenceUID == first.FrameOfReferenceUID
    (frame,) = ds.ReferencedFrameOfReferenceSequence
    (series,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    listed = {image.ReferencedSOPInstanceUID for image in series.ContourImageSequence}
    assert listed == {slice_.sop_instance_uid for slice_ in ct.slices}
    assert (ds.PatientID, ds.PatientName, ds.StudyID) == ("P1", "Synthetic^P1", "1")


def test_unapproved_says_so_and_approved_says_by_whom(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path)
    masks = {"Heart": ball(ct.geometry, 6.0)}
    unapproved = _dataset(structure_set_bytes(ct, masks))
    assert unapproved.ApprovalStatus == "UNAPPROVED"
    assert unapproved.StructureSetROISequence[0].ROIGenerationAlgorithm == "AUTOMATIC"
    approved = _dataset(structure_set_bytes(ct, masks, approval=ReviewedBy("Anna^Berg", MADE_AT)))
    assert approved.ApprovalStatus == "APPROVED"
    assert approved.ReviewerName == "Anna^Berg"
    assert (approved.ReviewDate, approved.ReviewTime) == ("20260304", "050607")
    assert approved.StructureSetROISequence[0].ROIGenerationAlgorithm == "SEMIAUTOMATIC"


def test_a_ct_beyond_all_decimals_is_refused(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path)
    far = replace(ct.geometry, origin_mm=(2e9, 0.0, 0.0))
    ct = replace(ct, volume=replace(ct.volume, geometry=far))
    with pytest.raises(GeometryMismatchError, match="from the origin"):
        structure_set_bytes(ct, {"Heart": ball(ct.geometry, 6.0)})


def test_names_and_label_are_cut_to_what_eclipse_takes(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path)
    mask = ball(ct.geometry, 6.0)
    names = ["A name of more than sixteen", "A name of more or less"]
    ds = _dataset(structure_set_bytes(ct, dict.fromkeys(names, mask), label="L" * 40))
    assert ds.StructureSetLabel == "L" * 16
    written_as = [(roi.ROIName, roi.ROIDescription) for roi in ds.StructureSetROISequence]
    assert written_as == [("A name of more t", names[0]), ("A name of more o", names[1])]
    labels = [item.ROIObservationLabel for item in ds.RTROIObservationsSequence]
    assert labels == ["A name of more t", "A name of more o"]


def test_a_structure_carries_the_code_of_its_template(tmp_path: Path) -> None:
    """Eclipse drops a code without the version of its context group."""
    ct, _ = ct_on_disk(tmp_path)
    mask = ball(ct.geometry, 6.0)
    (template,) = settings_for(tmp_path).structures
    assert template.code is not None
    heart, other = _dataset(
        structure_set_bytes(ct, {"Heart": mask, "Lump": mask}, codes={"Heart": template.code})
    ).RTROIObservationsSequence
    (code,) = heart.RTROIIdentificationCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("7088", "FMA")
    assert (code.ContextIdentifier, code.ContextGroupVersion) == ("VMS011", "20161209")
    assert "RTROIIdentificationCodeSequence" not in other


def test_software_model_and_hash_are_values_of_their_own(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path)
    versions = software_versions("3f" * 32)
    masks = {"Heart": ball(ct.geometry, 6.0)}
    ds = _dataset(structure_set_bytes(ct, masks, software_versions=versions))
    assert list(ds.SoftwareVersions) == [SOFTWARE_VERSION, "model 3f3f3f3f3f3f", "3f" * 32]
    assert max(map(len, ds.SoftwareVersions)) <= 64


def test_contours_of_an_enhanced_ct_name_their_frames(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path, shape=(5, 8, 8))
    one = ct.slices[0]
    frames = tuple(replace(one, frame_number=number) for number in (5, 4, 3, 2, 1))
    content = structure_set_bytes(replace(ct, slices=frames), {"Heart": ball(ct.geometry, 5.0)})
    (tmp_path / "rs.dcm").write_bytes(content)
    (heart,) = read_structure_set(tmp_path / "rs.dcm").rois
    assert len(heart.contours) > 1
    for contour in heart.contours:
        k = round(float(ct.geometry.mm_to_index(contour.points_mm[0])[0]))
        assert contour.referenced_sop_instance_uid == one.sop_instance_uid
        assert contour.referenced_frame_number == 5 - k


def test_every_edge_runs_along_voxels_and_none_is_smoothed_or_thinned(tmp_path: Path) -> None:
    """Outlines made simpler for display never go out: each step of the mask is there."""
    ct, _ = ct_on_disk(tmp_path, shape=(3, 30, 40), spacing_mm=(3.0, 1.25, 0.75))
    mask = np.random.default_rng(7).random(ct.geometry.shape) < 0.6
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, {"Heart": mask}))
    (heart,) = read_structure_set(tmp_path / "rs.dcm").rois
    length = 0.0
    for contour in heart.contours:
        corners = ct.geometry.mm_to_index(contour.points_mm)[:, 1:] + 0.5
        steps = np.roll(corners, -1, axis=0) - corners
        assert np.abs(corners - np.round(corners)).max() < 0.002
        assert (np.abs(steps).min(axis=1) < 0.002).all()
        length += float(np.abs(steps).sum())
    around = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    edges = sum(int(np.count_nonzero(np.diff(around, axis=axis))) for axis in (1, 2))
    # Keyholes run there and back; all else is the edge between true and false voxels.
    assert length >= edges - 0.5


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("Berg^Anna", "ISO_IR 100", "ISO_IR 100"),
        ("Müller^Jürgen", "ISO_IR 100", "ISO_IR 100"),
        ("Лук^Иван", "ISO_IR 144", "ISO_IR 192"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "ISO_IR 192", "ISO_IR 192"),
    ],
)
def test_a_patient_name_survives_whatever_its_character_set(
    name: str, source: str, expected: str, tmp_path: Path
) -> None:
    series = ct_series()
    for ds in series:
        ds.SpecificCharacterSet = source
        ds.PatientName = name
    ct = read_ct(written(series, tmp_path))
    ds = _dataset(structure_set_bytes(ct, {"Heart": ball(ct.geometry, 6.0)}))
    assert str(ds.PatientName) == name
    assert ds.SpecificCharacterSet == expected


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path)
    masks = {"Heart": ball(ct.geometry, 6.0)}
    assert structure_set_bytes(ct, masks) == structure_set_bytes(ct, masks)


def test_an_empty_structure_has_no_contour_sequence(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path)
    ds = _dataset(structure_set_bytes(ct, {"Heart": ball(ct.geometry, -1.0)}))
    assert "ContourSequence" not in ds.ROIContourSequence[0]
    assert len(ds.StructureSetROISequence) == 1


def test_a_contour_of_more_than_64_kb_is_kept_as_decimals(tmp_path: Path) -> None:
    """Explicit VR would have to change such a value to unknown (PS3.5 7.1.2)."""
    ct, _ = ct_on_disk(tmp_path / "ct", shape=(2, 140, 140), spacing_mm=(3.0, 1.0, 1.0))
    comb = np.zeros(ct.geometry.shape, np.bool_)
    comb[0, ::2] = comb[0, :, 0] = True
    comb[0, ::4, 1::2] = comb[0, 1::4, 1::2] = True
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, {"Heart": comb}))
    (heart,) = read_structure_set(tmp_path / "rs.dcm").rois
    assert max(len(c.points_mm) for c in heart.contours) * 3 * 8 > 65536
    read = mask_of_contours([c.points_mm for c in heart.contours], ct.geometry)
    assert np.array_equal(read.mask, comb)
