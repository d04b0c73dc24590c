"""Structure sets that break a rule: what can be used is read, and the rest is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from core.errors import UnreadableObjectError
from core.rasterise import mask_of_contours
from core.structures import Roi, StructureSet
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.support.synthetic_dicom import ct_series, encoded, rtstruct, written

_CT: dict[str, Any] = {"shape": (4, 20, 20), "spacing_mm": (3.0, 1.0, 1.0)}
_Z = -1.5


def _square(half_mm: float, *, z_mm: float = _Z) -> list[list[float]]:
    return [[x * half_mm, y * half_mm, z_mm] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]


def _read(ds: Dataset, folder: Path, *, frame: str | None = None) -> StructureSet:
    path = folder / "rs.dcm"
    path.write_bytes(encoded(ds))
    return read_structure_set(path, frame_of_reference_uid=frame)


def _two_contours() -> Dataset:
    """A ROI of two contours; the first is the one that tests spoil."""
    contours = [(_square(8.0), None), (_square(6.0, z_mm=1.5), None)]
    return rtstruct(ct_series(**_CT), {"Heart": contours})


def _first(ds: Dataset) -> Dataset:
    found: Dataset = ds.ROIContourSequence[0].ContourSequence[0]
    return found


def _coordinates(text: bytes) -> Callable[[Dataset], None]:
    tag = Tag("ContourData")

    def spoil(item: Dataset) -> None:
        item[tag] = RawDataElement(tag, "DS", len(text), text, 0, False, True)

    return spoil


def _set(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda item: setattr(item, keyword, value)


def _del(keyword: str) -> Callable[[Dataset], None]:
    return lambda item: delattr(item, keyword)


_NO_NUMBERS = "Contours with coordinates that are not numbers were left out: 1."
_NO_TRIPLES = "Contours without three coordinates for each point were left out: 1."
_OPEN = "Points and open lines were left out: 1."
_ODD_CONTOURS: dict[str, tuple[Callable[[Dataset], None], str]] = {
    "a word": (_coordinates(b"1\\2\\3\\4\\5\\x\\7\\8\\9 "), _NO_NUMBERS),
    "not finite": (_coordinates(b"1\\2\\3\\4\\5\\nan\\7\\8\\9 "), _NO_NUMBERS),
    "beyond all numbers": (_coordinates(b"1\\2\\3\\4\\5\\1e999\\7\\8\\9 "), _NO_NUMBERS),
    "farther than any patient": (_coordinates(b"1\\2\\3\\4\\5\\1.7e308\\7\\8\\9 "), _NO_NUMBERS),
    "a decimal comma": (_coordinates(b"1,5\\2\\3\\4\\5\\6\\7\\8\\9 "), _NO_NUMBERS),
    "an underscore": (_coordinates(b"1_5\\2\\3\\4\\5\\6\\7\\8\\9 "), _NO_NUMBERS),
    "a gap": (_coordinates(b"1\\\\3\\4\\5\\6\\7\\8\\9 "), _NO_NUMBERS),
    "not ASCII": (
        _coordinates("1\\2\\3\\4\\5\\\N{FULLWIDTH DIGIT SIX}\\7\\8\\9".encode()),
        _NO_NUMBERS,
    ),
    "not in threes": (_coordinates(b"1\\2\\3\\4\\5\\6\\7\\8"), _NO_TRIPLES),
    "a point": (_set("ContourGeometricType", "POINT"), _OPEN),
    "an open line": (_set("ContourGeometricType", "OPEN_PLANAR"), _OPEN),
    "an open line in space": (_set("ContourGeometricType", "OPEN_NONPLANAR"), _OPEN),
    "an unknown type": (
        _set("ContourGeometricType", "SPLINE"),
        "Contours of an unknown type were left out: 1.",
    ),
    "two points": (
        _coordinates(b"1\\2\\3\\4\\5\\3"),
        "Contours of fewer than three points were left out: 1.",
    ),
    "two points and the first again": (
        _coordinates(b"1\\2\\3\\4\\5\\3\\1\\2\\3 "),
        "Contours of fewer than three points were left out: 1.",
    ),
    "no coordinates": (
        _del("ContourData"),
        "Contours of fewer than three points were left out: 1.",
    ),
}


@pytest.mark.parametrize(("spoil", "told"), _ODD_CONTOURS.values(), ids=_ODD_CONTOURS.keys())
def test_a_contour_that_cannot_be_painted_is_left_out_and_told(
    spoil: Callable[[Dataset], None], told: str, tmp_path: Path
) -> None:
    ds = _two_contours()
    spoil(_first(ds))
    _first(ds).NumberOfContourPoints = _points_held(_first(ds))
    (heart,) = _read(ds, tmp_path).rois
    assert np.array_equal([c.points_mm for c in heart.contours], [_square(6.0, z_mm=1.5)])
    assert heart.contours_left_out == 1
    assert heart.findings == (told,)


def _points_held(item: Dataset) -> int:
    """As many as the spoilt contour holds: only what is spoilt shall be told."""
    if "ContourData" not in item:
        return 0
    value = item.get_item("ContourData").value
    return (value.count(b"\\") + 1) // 3 if isinstance(value, bytes) else 4


_ODD_BUT_WHOLE: dict[str, tuple[Callable[[Dataset], None], tuple[str, ...]]] = {
    "20 digits": (
        _coordinates(
            "\\".join(f"{v:.17f}" for point in _square(8.0) for v in point).encode() + b" "
        ),
        (),
    ),
    "blanks around": (
        _coordinates("\\".join(f" {v} " for p in _square(8.0) for v in p).encode()),
        (),
    ),
    "the first point again": (
        _coordinates(
            "\\".join(str(v) for p in [*_square(8.0), *_square(8.0)[:1]] for v in p).encode()
        ),
        ("Contours that announce another number of points were read as they stand: 1.",),
    ),
    "another number announced": (
        _set("NumberOfContourPoints", 7),
        ("Contours that announce another number of points were read as they stand: 1.",),
    ),
    "no number announced": (_del("NumberOfContourPoints"), ()),
    "no type": (_del("ContourGeometricType"), ("Contours without a type were read as closed: 1.",)),
    "the type of 2020": (_set("ContourGeometricType", "CLOSEDPLANAR_XOR"), ()),
}


@pytest.mark.parametrize(("spoil", "told"), _ODD_BUT_WHOLE.values(), ids=_ODD_BUT_WHOLE.keys())
def test_a_contour_whose_points_are_clear_is_read(
    spoil: Callable[[Dataset], None], told: tuple[str, ...], tmp_path: Path
) -> None:
    ds = _two_contours()
    spoil(_first(ds))
    (heart,) = _read(ds, tmp_path).rois
    assert np.array_equal(heart.contours[0].points_mm, _square(8.0))
    assert (len(heart.contours), heart.findings) == (2, told)


def test_a_contour_that_contradicts_itself_marks_the_roi_as_damaged(tmp_path: Path) -> None:
    ds = _two_contours()
    _first(ds).NumberOfContourPoints = 7
    _coordinates(b"1\\2\\3\\4\\x ")(ds.ROIContourSequence[0].ContourSequence[1])
    (heart,) = _read(ds, tmp_path).rois
    assert heart.contours_damaged == 2


def _painted(roi: Roi, folder: Path) -> int:
    ct = read_ct(written(ct_series(**_CT), folder / "ct"))
    mask = mask_of_contours([c.points_mm for c in roi.contours], ct.geometry).mask
    return int(mask.sum())


@pytest.mark.parametrize("kind", ["CLOSED_PLANAR", "CLOSEDPLANAR_XOR"])
def test_loops_of_one_slice_combine_by_exclusive_or(kind: str, tmp_path: Path) -> None:
    """16 x 16 voxels, a hole of 8 x 8 in it, an island of 4 x 4 in that: Eclipse's convention."""
    contours = [(_square(half), None) for half in (8.0, 4.0, 2.0)]
    ds = rtstruct(ct_series(**_CT), {"Ring": contours})
    for item in ds.ROIContourSequence[0].ContourSequence:
        item.ContourGeometricType = kind
    (ring,) = _read(ds, tmp_path).rois
    assert _painted(ring, tmp_path) == 256 - 64 + 16


def test_a_keyhole_reads_as_a_hole(tmp_path: Path) -> None:
    outer, inner = _square(8.0), _square(4.0)
    keyhole = [*outer, outer[0], inner[0], *inner[:0:-1], inner[0]]
    (ring,) = _read(rtstruct(ct_series(**_CT), {"Ring": [(keyhole, None)]}), tmp_path).rois
    assert _painted(ring, tmp_path) == 256 - 64


@pytest.mark.parametrize(
    "again",
    [lambda c: c, lambda c: c[::-1], lambda c: [*c[2:], *c[:2]]],
    ids=["the same", "the other way round", "from another point"],
)
def test_a_contour_that_is_there_twice_does_not_vanish(
    again: Callable[[list[Any]], list[Any]], tmp_path: Path
) -> None:
    contours = [(_square(8.0), None), (again(_square(8.0)), None)]
    (heart,) = _read(rtstruct(ct_series(**_CT), {"Heart": contours}), tmp_path).rois
    assert _painted(heart, tmp_path) == 256
    assert heart.findings == ("Contours that are there twice count once: 1.",)


def _three_rois() -> Dataset:
    drawn = [(_square(8.0), None)]
    return rtstruct(ct_series(**_CT), {"Heart": drawn, "Lung": drawn, "Spleen": []})


def test_of_several_frames_of_reference_the_rois_on_ours_are_kept(tmp_path: Path) -> None:
    ds = _three_rois()
    ours = str(ds.StructureSetROISequence[0].ReferencedFrameOfReferenceUID)
    ds.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"
    del ds.StructureSetROISequence[2].ReferencedFrameOfReferenceUID
    structure_set = _read(ds, tmp_path, frame=ours)
    assert [roi.roi_name for roi in structure_set.rois] == ["Heart"]
    assert structure_set.frame_of_reference_uid == ours
    assert structure_set.findings == ("On another frame of reference and left out: Lung, Spleen.",)


def test_the_series_is_that_of_our_frame_of_reference(tmp_path: Path) -> None:
    ds, other = _three_rois(), _three_rois()
    ours = ds.ReferencedFrameOfReferenceSequence[0]
    theirs = other.ReferencedFrameOfReferenceSequence[0]
    theirs.FrameOfReferenceUID = "1.2.3"
    theirs.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.4"
    ds.ReferencedFrameOfReferenceSequence = [theirs, ours]
    study = ours.RTReferencedStudySequence[0]
    structure_set = _read(ds, tmp_path, frame=str(ours.FrameOfReferenceUID))
    series = study.RTReferencedSeriesSequence[0].SeriesInstanceUID
    assert structure_set.referenced_series_instance_uid == series


def test_a_structure_set_wholly_on_another_frame_says_which(tmp_path: Path) -> None:
    """Whether it may be attached is for the caller, who knows the case."""
    structure_set = _read(_three_rois(), tmp_path, frame="1.2.3")
    assert structure_set.frame_of_reference_uid == ct_series(**_CT)[0].FrameOfReferenceUID


def test_several_frames_without_ours_are_refused(tmp_path: Path) -> None:
    ds = _three_rois()
    ds.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = "1.2.3"
    for frame in (None, "1.2.4"):
        with pytest.raises(UnreadableObjectError, match="names 2 frames of reference"):
            _read(ds, tmp_path, frame=frame)


def test_rois_that_cannot_be_told_apart_are_left_out(tmp_path: Path) -> None:
    """Contours are found by the ROI Number alone: given twice, they may be another organ's."""
    ds = _three_rois()
    ds.StructureSetROISequence[1].ROINumber = 1
    structure_set = _read(ds, tmp_path)
    assert [roi.roi_name for roi in structure_set.rois] == ["Spleen"]
    assert structure_set.findings == (
        "Heart has no ROI Number of its own and was left out.",
        "Lung has no ROI Number of its own and was left out.",
        "Contours that belong to no ROI were left out: 1.",
    )


def test_a_roi_without_number_costs_itself_alone(tmp_path: Path) -> None:
    ds = _three_rois()
    del ds.StructureSetROISequence[1].ROINumber
    structure_set = _read(ds, tmp_path)
    assert [roi.roi_name for roi in structure_set.rois] == ["Heart", "Spleen"]
    assert structure_set.findings[0].startswith("Lung has no ROI Number")


def test_what_says_nothing_about_geometry_is_not_needed(tmp_path: Path) -> None:
    ds = _three_rois()
    del ds.StructureSetLabel
    del ds.SOPInstanceUID
    ds.StructureSetROISequence[1].ROIName = ""
    ds.ROIContourSequence[0].ROIDisplayColor = [1]
    path = tmp_path / "rs.dcm"
    content = encoded(_three_rois())
    uid = str(_three_rois().SOPInstanceUID)
    path.write_bytes(content)
    assert read_structure_set(path).sop_instance_uid == uid
    structure_set = _without_sop_instance_uid(ds, uid, path)
    assert structure_set.sop_instance_uid == uid
    assert structure_set.rois[0].colour == (255, 255, 0)
    assert structure_set.findings == ("ROIs without a name: 1.",)


def _without_sop_instance_uid(ds: Dataset, uid: str, path: Path) -> StructureSet:
    # pydicom insists on the two being equal when it writes; the file is cut afterwards.
    ds.SOPInstanceUID = uid
    content = encoded(ds)
    raw = uid.encode() + b"\0" * (len(uid) % 2)
    element = b"\x08\x00\x18\x00UI" + len(raw).to_bytes(2, "little") + raw
    assert content.count(element) == 1
    path.write_bytes(content.replace(element, b""))
    return read_structure_set(path)


def test_contours_off_the_slices_are_counted_and_not_moved_far(tmp_path: Path) -> None:
    """Slices at -4.5, -1.5, 1.5, 4.5 mm: 1 mm off is painted, beyond the last and tilted not."""
    tilted = _square(8.0)
    tilted[0][2] += 2.0
    contours = [
        (_square(8.0, z_mm=2.5), None),
        (_square(8.0, z_mm=6.5), None),
        (tilted, None),
    ]
    (heart,) = _read(rtstruct(ct_series(**_CT), {"Heart": contours}), tmp_path).rois
    ct = read_ct(written(ct_series(**_CT), tmp_path / "ct"))
    painted = mask_of_contours([c.points_mm for c in heart.contours], ct.geometry)
    assert painted.mask.sum(axis=(1, 2)).tolist() == [0, 0, 256, 0]
    assert painted.contours_off_grid == 2


def test_damaged_bytes_are_refused_or_read_and_never_taken_for_a_broken_disk(
    tmp_path: Path,
) -> None:
    """An OSError is tried again and again: for a damaged file that would be for ever."""
    whole = encoded(_three_rois())
    rng = np.random.default_rng(3)
    path = tmp_path / "rs.dcm"
    outcomes = set()
    for _ in range(400):
        damaged = bytearray(whole[: rng.integers(140, len(whole) + 1)])
        for at in rng.integers(0, len(damaged), rng.integers(0, 4)):
            damaged[at] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            outcomes.add(type(read_structure_set(path)).__name__)
        except UnreadableObjectError:
            outcomes.add("refused")
    assert outcomes == {"StructureSet", "refused"}
