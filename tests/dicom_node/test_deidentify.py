"""De-identification: nothing of the patient left, nothing of the physics changed."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, SegmentationStorage

from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.deidentify import CannotDeidentifyError, Changes, Deidentifier
from dicom_node.objects.rtdose_reader import read_dose
from dicom_node.objects.rtplan_reader import read_plan
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.support.shared_data import shared_data
from tests.support.synthetic_dicom import ct_series, encoded, ramp_hu, rtdose, rtplan, rtstruct

TELLING = ("Mustermann", "Käthe", "MRN-4711", "ACC0815", "19620503", "Rambach", "St. Elsewhere")


def identified() -> list[Dataset]:
    """A CT, its structure set, plan and dose, which tell wherever they can who it is."""
    ct = ct_series(shape=(4, 8, 8))
    square = [[-5, -5, z] for z in (0,)] + [[5, -5, 0], [5, 5, 0], [-5, 5, 0]]
    structures = rtstruct(
        ct, {"Heart": [(square, None)], "lung left": [], "Boost Mustermann": [], "PTV_5000": []}
    )
    structures.ApprovalStatus, structures.ReviewerName = "APPROVED", "Rambach^Ute"
    structures.ReviewDate, structures.ReviewTime = "20260106", "120000"
    structures.RTROIObservationsSequence[0].ROIInterpreter = "Rambach^Ute"
    plan = rtplan(ct[0], structure_set_uid=str(structures.SOPInstanceUID))
    dose = rtdose(lambda x, y, z: 20 + x * 0.1 + y * 0 + z * 0, ct=ct[0])
    objects = [*ct, structures, plan, dose]
    for ds in objects:
        _tell(ds)
    return objects


def _tell(ds: Dataset) -> None:
    ds.PatientName, ds.PatientID, ds.AccessionNumber = "Mustermann^Käthe", "MRN-4711", "ACC0815"
    ds.PatientBirthDate, ds.PatientAge, ds.PatientWeight = "19620503", "063Y", "61"
    ds.OtherPatientIDs = ["MRN-4711-B", "X"]
    ds.InstitutionName, ds.ReferringPhysicianName = "St. Elsewhere", "Rambach^Ute"
    ds.SeriesDescription = "Mustermann planning"
    ds.BodyPartExamined = "MUSTERMANN"  # not in the profile's table, and not a place for names
    ds.ManufacturerModelName = "born 03.05.1962"
    ds.PatientComments = "Käthe is afraid of the couch"
    block = ds.private_block(0x0029, "ACME", create=True)
    block.add_new(0x10, "LO", "Mustermann")
    ds.add_new(0x00081199, "SQ", [Dataset()])  # Referenced SOP Sequence
    ds.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3.4711.5"
    ds.ReferencedSOPSequence[0].PatientComments = "Mustermann again"
    ds.add_new(0x60000010, "US", 8)
    ds.add_new(0x60003000, "OW", b"Mustermann")
    ds.add_new(0x00091001, "UN", b"Mustermann")


def exported(
    objects: Sequence[Dataset], roi_names: Sequence[str] = ()
) -> tuple[list[bytes], list[Changes]]:
    files = [encoded(ds) for ds in objects]
    made = Deidentifier(roi_names=roi_names)
    for file in files:
        made.look_for_whom(dcmread(BytesIO(file), stop_before_pixels=True))
    results = [made.deidentified(dcmread(BytesIO(f))) for f in files]
    return [r.content for r in results], [r.changes for r in results]


def parsed(contents: Sequence[bytes]) -> list[Dataset]:
    return [dcmread(BytesIO(content)) for content in contents]


@pytest.fixture(scope="module")
def originals() -> list[Dataset]:
    return identified()


@pytest.fixture(scope="module")
def anonymous(originals: list[Dataset]) -> list[bytes]:
    return exported(originals)[0]


def test_no_byte_tells_who_it_was(originals: list[Dataset], anonymous: list[bytes]) -> None:
    everything = b"".join(anonymous).lower()
    for word in TELLING:
        assert word.lower().encode("latin-1") in b"".join(map(encoded, originals)).lower(), word
        assert word.lower().encode("latin-1") not in everything, word
    for day in (b"20260105", b"20260106", b"03.05.1962"):
        assert day not in everything
    own = {str(ds[k].value) for ds in originals for k in ("SOPInstanceUID", "StudyInstanceUID")}
    own |= {str(ds.SeriesInstanceUID) for ds in originals}
    assert not any(uid.encode() in everything for uid in own)


def test_pixels_contours_and_scaling_are_the_same_bytes(
    originals: list[Dataset], anonymous: list[bytes]
) -> None:
    for before, after in zip(originals, parsed(anonymous), strict=True):
        same = ("PixelData", "DoseGridScaling", "RescaleSlope", "RescaleIntercept", "PixelSpacing")
        for keyword in (*same, "ImagePositionPatient", "GridFrameOffsetVector"):
            if keyword in before:
                assert raw(after, keyword) == raw(dcmread(BytesIO(encoded(before))), keyword)
    before, after = originals[4], parsed(anonymous)[4]
    contour = before.ROIContourSequence[0].ContourSequence[0]
    assert after.ROIContourSequence[0].ContourSequence[0].ContourData == contour.ContourData


def raw(ds: Dataset, keyword: str) -> bytes:
    element: Any = ds.get_item(keyword)
    assert isinstance(element, RawDataElement)
    return element.value or b""


def test_references_hold_within_an_export(anonymous: list[bytes]) -> None:
    *ct, structures, plan, dose = parsed(anonymous)
    frame = structures.ReferencedFrameOfReferenceSequence[0]
    assert {s.FrameOfReferenceUID for s in ct} == {frame.FrameOfReferenceUID}
    assert dose.FrameOfReferenceUID == plan.FrameOfReferenceUID == frame.FrameOfReferenceUID
    study = frame.RTReferencedStudySequence[0]
    assert study.ReferencedSOPInstanceUID == structures.StudyInstanceUID == ct[0].StudyInstanceUID
    series = study.RTReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == ct[0].SeriesInstanceUID
    referenced = {i.ReferencedSOPInstanceUID for i in series.ContourImageSequence}
    assert referenced == {s.SOPInstanceUID for s in ct}
    on_structures = plan.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID
    assert on_structures == structures.SOPInstanceUID
    assert dose.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == plan.SOPInstanceUID
    for ds in (*ct, structures, plan, dose):
        assert UID(ds.SOPInstanceUID).is_valid
        assert ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID
        assert ds.PatientID == ct[0].PatientID == ds.PatientName


def test_our_readers_find_the_same_volume_contours_plan_and_dose(
    originals: list[Dataset], anonymous: list[bytes], tmp_path: Path
) -> None:
    before = _on_disk([encoded(ds) for ds in originals], tmp_path / "before")
    after = _on_disk(anonymous, tmp_path / "after")
    was, is_now = read_ct(before[:4]), read_ct(after[:4])
    assert np.array_equal(was.volume.values, is_now.volume.values)
    assert was.geometry.to_json() | {"frame_of_reference_uid": ""} == (
        is_now.geometry.to_json() | {"frame_of_reference_uid": ""}
    )
    contours = [[c.points_mm.tolist() for r in read_structure_set(p).rois for c in r.contours]
                for p in (before[4], after[4])]  # fmt: skip
    assert contours[0] == contours[1] != []
    assert read_plan(before[5]).fraction_groups == read_plan(after[5]).fraction_groups
    doses = [read_dose(p).volume.values for p in (before[6], after[6])]
    assert np.array_equal(doses[0], doses[1])


def _on_disk(contents: Sequence[bytes], folder: Path) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{n}.dcm" for n in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def test_structure_names_stay_only_where_they_are_standard_or_configured(
    originals: list[Dataset],
) -> None:
    (content,), _ = exported([originals[4]])
    (configured,), _ = exported([originals[4]], roi_names=["Boost Mustermann"])
    names = [roi.ROIName for roi in parsed([content])[0].StructureSetROISequence]
    assert names == ["Heart", "Lung_L", "ROI_3", "PTV_5000"]
    kept = [roi.ROIName for roi in parsed([configured])[0].StructureSetROISequence]
    assert kept[2] == "Boost Mustermann"


def test_the_object_says_how_it_was_de_identified(anonymous: list[bytes]) -> None:
    for ds in parsed(anonymous):
        assert ds.PatientIdentityRemoved == "YES"
        assert ds.LongitudinalTemporalInformationModified == "REMOVED"
        (code,) = ds.DeidentificationMethodCodeSequence
        assert (code.CodeValue, code.CodingSchemeDesignator) == ("113100", "DCM")
        assert "PS3.15" in ds.DeidentificationMethod


def test_what_was_changed_is_counted_by_attribute_without_values(
    originals: list[Dataset],
) -> None:
    _, all_changes = exported(originals)
    of_ct, of_structures = all_changes[0].counts, all_changes[4].counts
    assert of_ct["PatientName", "replaced"] == 1
    assert of_ct["InstitutionName", "removed"] == 1
    assert of_ct["StudyDate", "emptied"] == 1
    assert of_ct["private", "removed"] == 3
    assert of_ct["BodyPartExamined", "swept"] == 1
    assert of_ct["ManufacturerModelName", "swept"] == 1
    assert of_structures["ROIName", "replaced"] == 4
    assert of_structures["ReferencedSOPInstanceUID", "remapped"] == 4 + 1 + 1
    said = " ".join(f"{name} {action}" for name, action in of_ct)
    assert not any(word in said for word in TELLING)


def test_two_exports_of_one_patient_cannot_be_joined(originals: list[Dataset]) -> None:
    first, second = (parsed(exported(originals[:1])[0])[0] for _ in range(2))
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert first[keyword].value != second[keyword].value


def test_somebody_named_in_one_object_is_looked_for_in_all(originals: list[Dataset]) -> None:
    """The plan has no patient name of its own, and the CT's one in a place that stays."""
    plan = dcmread(BytesIO(encoded(originals[5])))
    plan.PatientName, plan.PatientID, plan.OtherPatientIDs = "", "", ""
    assert parsed(exported([plan])[0])[0].get("BodyPartExamined") == "MUSTERMANN"
    _, content = exported([originals[0], plan])[0]
    assert "BodyPartExamined" not in parsed([content])[0]


def test_a_patient_whose_name_is_a_term_of_dicom_leaves_the_object_readable(
    tmp_path: Path,
) -> None:
    ct = ct_series(shape=(3, 8, 8), hu=ramp_hu)
    for ds in ct:
        ds.PatientName, ds.PatientID = "Ct^Axial^Hu^HFS", "840.10008"
    contents, _ = exported(ct)
    (first, *_) = parsed(contents)
    for keyword in ("Modality", "ImageType", "RescaleType", "PatientPosition", "SOPClassUID"):
        assert first[keyword].value == ct[0][keyword].value
    assert read_ct(_on_disk(contents, tmp_path / "ct")).volume.values.shape == (3, 8, 8)


def test_a_short_name_takes_no_term_of_a_plan_away() -> None:
    """CC is how a gantry turns; a patient may have it for initials."""
    ct, *_ = ct_series(shape=(1, 8, 8))
    plan = rtplan(ct, structure_set_uid="1.2.3")
    plan.PatientName, plan.PatientID = "Ng^CC", "17"
    beam, point = Dataset(), Dataset()
    beam.BeamNumber, beam.ApplicatorDescription = 1, "made for Mr Ng"
    beam.BeamType, beam.RadiationType = "STATIC", "PHOTON"
    point.GantryRotationDirection = "CC"
    beam.ControlPointSequence = [point]
    plan.BeamSequence = [beam]
    (content,), (changes,) = exported([plan])
    (kept,) = parsed([content])[0].BeamSequence
    assert kept.ControlPointSequence[0].GantryRotationDirection == "CC"
    assert changes.counts["ApplicatorDescription", "swept"] == 1


def _burned_in(ds: Dataset) -> None:
    ds.BurnedInAnnotation = "YES"


def _overlay_within_pixels(ds: Dataset) -> None:
    ds.add_new(0x60000010, "US", 8)


def _segmentation(ds: Dataset) -> None:
    ds.SOPClassUID = SegmentationStorage


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_burned_in, "Burned In Annotation"),
        (_overlay_within_pixels, "overlay"),
        (_segmentation, "Segmentation Storage is not de-identified"),
    ],
)
def test_identity_in_the_pixels_and_other_kinds_of_objects_are_refused(
    change: object, sentence: str
) -> None:
    assert callable(change)
    (ds,) = ct_series(shape=(1, 8, 8))
    change(ds)
    with pytest.raises(CannotDeidentifyError, match=sentence):
        Deidentifier().deidentified(ds)


@pytest.mark.parametrize(
    "files",
    [
        "eclipse-breast-dicompyler/*.dcm",
        "chest-crlm-1006/CT/1-0[1-4].dcm",
        "odd-pydicom/test_files/rtdose*.dcm",
        "odd-pydicom/test_files/CT_small.dcm",
        "odd-pydicom/test_files/rtplan.dcm",
    ],
)
def test_real_objects_lose_everything_that_the_table_names(files: str) -> None:
    folder, pattern = files.split("/", 1)
    paths = sorted(shared_data(folder).glob(pattern))
    assert paths
    before = [dcmread(path) for path in paths]
    contents, _ = exported([dcmread(path) for path in paths])
    for old, content in zip(before, contents, strict=True):
        new = dcmread(BytesIO(content))
        assert _telling_values(old).isdisjoint(_telling_values(new))
        assert not any(element.tag.is_private for element in new.iterall())
        dates = [e for e in new.iterall() if e.VR in ("DA", "DT", "TM") and e.value]
        assert {e.keyword for e in dates} <= {"ContextGroupVersion"}
        if "PixelData" in old:
            assert new.PixelData == old.PixelData


def test_a_real_case_reads_as_the_same_volume_contours_and_dose(tmp_path: Path) -> None:
    chest, eclipse = shared_data("chest-crlm-1006"), shared_data("eclipse-breast-dicompyler")
    paths = sorted((chest / "CT").glob("*.dcm"))[10:18]
    others = [chest / "rt" / "RS.silver.dcm", eclipse / "rtss.dcm", eclipse / "rtdose.dcm"]
    contents, _ = exported([dcmread(path) for path in (*paths, *others)])
    new = _on_disk(contents, tmp_path / "new")
    assert np.array_equal(read_ct(paths).volume.values, read_ct(new[:8]).volume.values)
    for old_file, new_file in zip(others[:2], new[8:10], strict=True):
        was, is_now = read_structure_set(old_file), read_structure_set(new_file)
        assert [len(r.contours) for r in was.rois] == [len(r.contours) for r in is_now.rois]
        for before, after in zip(was.rois, is_now.rois, strict=True):
            assert all(
                np.array_equal(a.points_mm, b.points_mm)
                for a, b in zip(before.contours, after.contours, strict=True)
            )
    assert np.array_equal(read_dose(others[2]).volume.values, read_dose(new[10]).volume.values)


def _telling_values(ds: Dataset) -> set[str]:
    """Names, numbers and instance UIDs, wherever they stand."""
    found = {str(ds.get(k, "")) for k in ("PatientName", "PatientID", "AccessionNumber", "StudyID")}
    found |= {str(e.value) for e in ds.iterall() if e.VR == "PN"}
    found |= {
        str(e.value) for e in ds.iterall() if e.VR == "UI" and e.keyword.endswith("InstanceUID")
    }
    return found - {"", "None"}
