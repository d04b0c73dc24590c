"""Every real CT series at hand: the right volume, or the right refusal."""

from __future__ import annotations

import uuid
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread

from core.errors import IrregularSeriesError, RecontourError, UnreadableObjectError
from dicom_node.objects.attributes import read_object, text
from dicom_node.objects.ct_reader import ct_paths_in, read_ct
from tests.support.shared_data import shared_data

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CHEST = ("chest-crlm-1006", "CT")
AORTA = ("chest-totalsegmentator-aorta", "rt/CT")
ECLIPSE = ("eclipse-breast-dicompyler", "CT_synthetic")
TWO_SLICES = ("odd-rtstruct-rtutils", "mock_data")
FIVE_SLICES = ("odd-pydicom", "test_files/dicomdirtests/98892001/CT5N")

# shape, spacing, position of the first voxel, findings after the first
READABLE = [
    (
        CHEST,
        (51, 512, 512),
        (5.0, 0.804688, 0.804688),
        (-191.0, -167.199997, -376.440002),
        ["21.3 % of the voxels are padding"],
    ),
    (AORTA, (164, 126, 120), (1.5, 1.5, 1.5), (-71.66, -255.66, 540.2), []),
    (ECLIPSE, (98, 512, 512), (3.0, 1.074219, 1.074219), (-275.0, -524.0, -122.44), []),
    (
        TWO_SLICES,
        (2, 512, 512),
        (5.0, 0.488281, 0.488281),
        (-125.0, -125.0, 60.0),
        ["21.3 % of the voxels are padding"],
    ),
    (FIVE_SLICES, (5, 16, 16), (2.5, 0.488281, 0.488281), (-72.2, -143.0, -1.2375), []),
]

REFUSED = [
    (("odd-gantry-tilt-dcm_qa_ct", ""), r"gantry tilt or shear of 18\.5 degrees"),
    (("odd-rtstruct-rtutils", "oriented_data"), "3 different studies"),
    (("odd-rtstruct-rtutils", "one_slice_data"), "at least 2"),
    (("odd-rtstruct-rtutils", ""), "different series"),
    (("odd-pydicom", "pydicom-data/eCT_Supplemental.dcm"), "Rescale Type 'US'"),
    (("odd-pydicom", "test_files/CT_small.dcm"), "at least 2"),
    (("odd-pydicom", "test_files/693_J2KI.dcm"), "at least 2"),
    (("odd-pydicom", "test_files/dicomdirtests/98892001/CT2N"), r"beside 2 localizer\(s\)"),
    (
        ("odd-pydicom", "test_files/dicomdirtests/77654033/CT2"),
        "missing between -99.48 and 103.02 mm",
    ),
    (("odd-pydicom", "test_files/dicomdirtests/TINY_ALPHA"), "has no Rows"),
    (("abdomen-totalsegmentator-examples", "example_ct_dicom"), "has no SeriesInstanceUID"),
    # A slice of the real CT beside the painted one, at the same place.
    (("eclipse-breast-dicompyler", ""), "Two slices lie at"),
]

FOLDERS = sorted(
    {place[0] for place, *_ in (*READABLE, *REFUSED)}
    | {"dvh-slicerrt-eclipse", "odd-rtdose-varian-feet-first"}
)


def _paths(place: tuple[str, str]) -> list[Path]:
    at = shared_data(place[0]) / place[1]
    if at.is_file():
        return [at]
    # Where nothing says that it is a CT (blank UIDs), everything is given to the reader.
    return ct_paths_in(at) or sorted(path for path in at.iterdir() if path.is_file())


@pytest.mark.parametrize(
    ("place", "shape", "spacing_mm", "origin_mm", "findings"),
    READABLE,
    ids=["/".join(case[0]) for case in READABLE],
)
def test_a_real_series_is_the_volume_it_should_be(
    place: tuple[str, str],
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, ...],
    origin_mm: tuple[float, ...],
    findings: list[str],
) -> None:
    ct = read_ct(_paths(place))
    assert ct.geometry.shape == shape
    assert ct.geometry.spacing_mm == pytest.approx(spacing_mm, abs=1e-4)
    assert ct.geometry.origin_mm == pytest.approx(origin_mm, abs=0.01)
    assert ct.geometry.slice_offsets_mm is None
    assert len(ct.findings) == 1 + len(findings)
    for found, expected in zip(ct.findings[1:], findings, strict=True):
        assert found.startswith(expected)


@pytest.mark.parametrize("place", [CHEST, TWO_SLICES, FIVE_SLICES], ids="/".join)
def test_highdicom_sees_the_same_real_volume(place: tuple[str, str]) -> None:
    paths = _paths(place)
    ct = read_ct(paths)
    oracle = highdicom.get_volume_from_series([dcmread(path) for path in paths], dtype=np.int32)
    oracle = oracle.to_patient_orientation("HPL")
    # What we call padding stands there as it was stored.
    assert np.array_equal(np.maximum(oracle.array, -1024), ct.volume.values)
    assert oracle.position == pytest.approx(ct.geometry.origin_mm, abs=1e-3)


@pytest.mark.parametrize(
    ("place", "sentence"), REFUSED, ids=["/".join(case[0]) or "all" for case in REFUSED]
)
def test_what_is_no_planning_ct_is_refused_with_the_reason(
    place: tuple[str, str], sentence: str
) -> None:
    with pytest.raises((IrregularSeriesError, UnreadableObjectError), match=sentence):
        read_ct(_paths(place))


@pytest.mark.parametrize("folder", FOLDERS)
def test_whatever_is_in_a_folder_is_a_volume_or_a_sentence(folder: str) -> None:
    """Also what is no CT at all: structure sets, doses, ultrasound, truncated files, texts."""
    series = defaultdict(list)
    for path in sorted(shared_data(folder).rglob("*")):
        if path.is_file():
            series[_series_of(path)].append(path)
    for paths in series.values():
        # Any other exception would end the worker's try without a sentence.
        with suppress(RecontourError):
            read_ct(paths)


def _series_of(path: Path) -> str:
    try:
        return text(read_object(path, pixels=False), "SeriesInstanceUID") or path.name
    except RecontourError:
        return path.name


def test_the_abdomen_whose_uids_were_blanked_is_whole_once_it_has_some(tmp_path: Path) -> None:
    for path in _paths(("abdomen-totalsegmentator-examples", "example_ct_dicom")):
        ds = dcmread(path)
        ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        ds.SOPInstanceUID = f"2.25.{uuid.uuid4().int}"
        ds.SeriesInstanceUID, ds.StudyInstanceUID = "2.25.1", "2.25.2"
        ds.save_as(tmp_path / path.name)
    ct = read_ct(ct_paths_in(tmp_path))
    assert ct.geometry.shape[0] == 20
    oracle = highdicom.get_volume_from_series(
        [dcmread(path) for path in ct_paths_in(tmp_path)], dtype=np.int32
    ).to_patient_orientation("HPL")
    assert np.array_equal(np.maximum(oracle.array, -1024), ct.volume.values)
