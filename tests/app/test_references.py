"""Structure sets of the TPS as reference contours: what is used, what is told of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset

from app.room import Room
from core.case_files import reference_name
from core.errors import UnreadableObjectError
from tests.support.room import bring_up_to_date, open_room, receive
from tests.support.synthetic_dicom import ct_series, rtstruct, written

_CT: dict[str, Any] = {"shape": (4, 20, 20), "spacing_mm": (3.0, 1.0, 1.0)}


def _square(half_mm: float, z_mm: float) -> tuple[npt.ArrayLike, None]:
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [[x * half_mm, y * half_mm, z_mm] for x, y in corners], None


def _joined(folder: Path, structures: Dataset) -> tuple[Room, str, str]:
    """A room in which the structure set has joined its CT: case and name of the reference mask."""
    room = open_room(folder)
    receive(room, written([*ct_series(**_CT), structures], folder / "sent"))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    (instance,) = room.store.instances.attached(case.id, kind="structure_set")
    return room, case.id, reference_name(instance.id, case.assembly)


def test_what_was_not_painted_is_told_beside_the_reference(tmp_path: Path) -> None:
    point: tuple[npt.ArrayLike, None] = ([[0, 0, 0]], None)
    contours = [_square(5.0, -1.5), _square(5.0, 1.5), _square(5.0, 40.0), point]
    room, case_id, name = _joined(tmp_path, rtstruct(ct_series(**_CT), {"Heart": contours}))
    mask = room.store.files.read_mask(case_id, name)
    assert mask.sum(axis=(1, 2)).tolist() == [0, 100, 100, 0]
    assert room.store.instances.findings(case_id) == [
        "Heart: Points and open lines were left out: 1.",
        "Heart: Contours that lie on no slice were left out: 1 of 3.",
    ]


def test_rois_on_our_frame_of_reference_are_used_and_the_others_named(tmp_path: Path) -> None:
    """A planning CT with a registered MR: the frame of the MR may be listed first."""
    ds = rtstruct(ct_series(**_CT), {"Heart": [_square(5.0, 1.5)], "Lung": [], "MR_GTV": []})
    other = rtstruct(ct_series(**_CT), {}).ReferencedFrameOfReferenceSequence[0]
    other.FrameOfReferenceUID = "1.2.3"
    ds.ReferencedFrameOfReferenceSequence.insert(0, other)
    ds.StructureSetROISequence[2].ReferencedFrameOfReferenceUID = "1.2.3"
    room, case_id, name = _joined(tmp_path, ds)
    assert room.store.files.read_mask(case_id, name).sum() == 100
    assert room.store.instances.findings(case_id) == [
        "On another frame of reference and left out: MR_GTV."
    ]


@pytest.mark.parametrize(
    ("half_mm", "told"),
    [
        (5.0, "Heart has damaged contours and is not used as a reference."),
        (0.1, "Heart covers no voxel and is not used as a reference."),
    ],
)
def test_a_roi_that_is_not_what_was_drawn_is_no_reference(
    half_mm: float, told: str, tmp_path: Path
) -> None:
    """A dose of it would be taken for that of the TPS's contour."""
    ds = rtstruct(ct_series(**_CT), {"Heart": [_square(half_mm, 1.5)]})
    if half_mm > 1.0:
        ds.ROIContourSequence[0].ContourSequence[0].NumberOfContourPoints = 9
    room, case_id, name = _joined(tmp_path, ds)
    with pytest.raises(UnreadableObjectError, match="not on disk"):
        room.store.files.read_mask(case_id, name)
    assert told in room.store.instances.findings(case_id)
