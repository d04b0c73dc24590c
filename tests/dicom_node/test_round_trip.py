from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from core.errors import ConversionMismatchError
from core.geometry import Mask
from dicom_node.objects.round_trip import verify_structure_set
from tests.dicom_node.structure_sets import (
    ball,
    ct_on_disk,
    heart_with_hole,
    structure_set_bytes,
)
from tests.support.synthetic_dicom import PATIENT_POSITIONS, Shape, encoded

_FINE: Shape = (11, 64, 64)


@pytest.mark.parametrize("patient_position", PATIENT_POSITIONS)
def test_both_readers_agree_in_every_patient_position(
    patient_position: str, tmp_path: Path
) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct", shape=_FINE, patient_position=patient_position)
    masks = {
        "Heart": heart_with_hole(ct.geometry, radius_mm=50.0, hole_mm=12.0),
        "One voxel": ball(ct.geometry, 1.2),
        "Nothing": ball(ct.geometry, -1.0),
    }
    assert masks["One voxel"].sum() == 1
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks))
    assert verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=paths) is None


_UNASKED: dict[str, tuple[dict[str, Any], str]] = {
    "oblong pixels": ({"shape": (5, 40, 40), "spacing_mm": (3.0, 2.0, 1.0)}, "column spacing"),
    "an oblong image": ({"shape": (5, 40, 30), "spacing_mm": (3.0, 1.0, 1.0)}, "not square"),
}


@pytest.mark.parametrize(("series", "why"), _UNASKED.values(), ids=_UNASKED.keys())
def test_what_rt_utils_would_misread_is_checked_by_our_reader_alone(
    series: dict[str, Any], why: str, tmp_path: Path
) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct", **series)
    masks = {"Heart": ball(ct.geometry, 12.0)}
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks))
    unasked = verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=paths)
    assert unasked is not None
    assert why in unasked


def _require_held(tmp_path: Path, written: dict[str, Mask], approved: dict[str, Mask]) -> str:
    ct, paths = ct_on_disk(tmp_path / "ct", shape=_FINE)
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, written))
    with pytest.raises(ConversionMismatchError) as held:
        verify_structure_set(tmp_path / "rs.dcm", ct, approved, ct_paths=paths)
    return str(held.value)


def _masks(tmp_path: Path) -> dict[str, Mask]:
    ct, _ = ct_on_disk(tmp_path / "other", shape=_FINE)
    return {"Heart": ball(ct.geometry, 50.0)}


def test_one_voxel_too_many_holds_the_delivery(tmp_path: Path) -> None:
    approved = _masks(tmp_path)
    one_more = approved["Heart"].copy()
    one_more[5, 0, 0] = True
    assert "1 other voxels" in _require_held(tmp_path, {"Heart": one_more}, approved)


def test_a_structure_under_another_name_holds_the_delivery(tmp_path: Path) -> None:
    approved = _masks(tmp_path)
    reason = _require_held(tmp_path, {"Lung_L": approved["Heart"]}, approved)
    assert "holds the ROIs ['Lung_L']" in reason


def test_a_missing_structure_holds_the_delivery(tmp_path: Path) -> None:
    approved = _masks(tmp_path)
    _require_held(tmp_path, approved, approved | {"Lung_L": approved["Heart"]})


def test_a_damaged_file_holds_the_delivery(tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct", shape=_FINE)
    masks = {"Heart": ball(ct.geometry, 50.0)}
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks)[:-5000])
    with pytest.raises(ConversionMismatchError):
        verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=paths)


def test_contours_on_another_series_hold_the_delivery(tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct", shape=_FINE)
    other, _ = ct_on_disk(tmp_path / "other", shape=_FINE, name="two")
    masks = {"Heart": ball(ct.geometry, 50.0)}
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(other, masks))
    with pytest.raises(ConversionMismatchError, match="another series"):
        verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=paths)


def test_the_second_reader_alone_can_hold_the_delivery(tmp_path: Path) -> None:
    """Its images lie 12 mm to the left of ours: only it looks at the files."""
    ct, _ = ct_on_disk(tmp_path / "ct", shape=_FINE)
    _, moved = ct_on_disk(tmp_path / "moved", shape=_FINE, centre_mm=(12.0, 0.0, 0.0))
    masks = {"Heart": ball(ct.geometry, 50.0)}
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks))
    with pytest.raises(ConversionMismatchError, match="rt-utils finds Heart more than a voxel off"):
        verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=moved)


def test_images_the_second_reader_does_not_find_hold_the_delivery(tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct", shape=_FINE)
    masks = {"Heart": ball(ct.geometry, 50.0)}
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks))
    with pytest.raises(ConversionMismatchError, match="rt-utils cannot read"):
        verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=paths[:-1])


def test_a_contour_on_the_wrong_image_holds_the_delivery(tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct", shape=_FINE)
    masks = {"Heart": np.roll(ball(ct.geometry, 50.0), 1, axis=0)}
    content = structure_set_bytes(ct, masks)
    first, second = ct.slices[3].sop_instance_uid, ct.slices[4].sop_instance_uid
    longest = max(len(first), len(second))
    # Exchange two references of equal length, everywhere: the contours stay where they are.
    a, b, spare = (u.encode().ljust(longest, b"\0") for u in (first, second, "9" * longest))
    swapped = content.replace(a, spare).replace(b, a).replace(spare, b)
    assert swapped != content
    (tmp_path / "rs.dcm").write_bytes(swapped)
    with pytest.raises(ConversionMismatchError, match="another image"):
        verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=paths)


def test_a_file_that_cannot_be_opened_now_is_no_verdict(tmp_path: Path) -> None:
    """The delivery is tried again; held is for what is wrong for good."""
    ct, paths = ct_on_disk(tmp_path / "ct", shape=_FINE)
    masks = {"Heart": ball(ct.geometry, 50.0)}
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks))
    away = paths[3].rename(tmp_path / "away.dcm")
    with pytest.raises(FileNotFoundError):
        verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=paths)
    away.rename(paths[3])
    assert verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=paths) is None


def test_other_images_beside_the_series_are_left_alone(tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct", shape=_FINE)
    _, others = ct_on_disk(tmp_path / "other", shape=_FINE, name="two")
    masks = {"Heart": ball(ct.geometry, 50.0)}
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks))
    both = [*others, *paths]
    assert verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=both) is None


def test_names_that_were_cut_are_found_again(tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct", shape=_FINE)
    names = ["A name of more than sixteen", "A name of more t"]
    masks = {name: ball(ct.geometry, 30.0 + 10.0 * n) for n, name in enumerate(names)}
    (tmp_path / "rs.dcm").write_bytes(structure_set_bytes(ct, masks))
    assert verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=paths) is None


def test_a_contour_that_contradicts_itself_holds_the_delivery(tmp_path: Path) -> None:
    """Right for our reader, who goes by the coordinates; another may go by their number."""
    ct, paths = ct_on_disk(tmp_path / "ct", shape=_FINE)
    masks = {"Heart": ball(ct.geometry, 50.0)}
    ds = dcmread(BytesIO(structure_set_bytes(ct, masks)))
    ds.ROIContourSequence[0].ContourSequence[0].NumberOfContourPoints = 4
    (tmp_path / "rs.dcm").write_bytes(encoded(ds))
    with pytest.raises(ConversionMismatchError, match="announce another number"):
        verify_structure_set(tmp_path / "rs.dcm", ct, masks, ct_paths=paths)
