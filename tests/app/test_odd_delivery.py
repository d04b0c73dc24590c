"""From an odd series to the RTSTRUCT that leaves the node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from app.room import Room
from app.writing import write_approved
from core.case import CaseState
from core.geometry import Mask
from core.rasterise import mask_of_contours
from core.records import Case
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.support.enhanced_ct import enhanced_ct, frame_heights_mm
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive
from tests.support.synthetic_dicom import ct_series, written
from tests.support.uneven_series import ZONES, named, uneven_series


def _assembled(room: Room, datasets: list[Dataset], folder: Path) -> Case:
    receive(room, written(datasets, folder / "sent"))
    bring_up_to_date(room)
    (case,) = room.store.cases.all()
    assert case.state is CaseState.ASSEMBLED, case.reason
    return case


def _approved(room: Room, case: Case) -> tuple[Path, Mask]:
    """An approved block of a third of the volume, and the RTSTRUCT that holds it."""
    assert case.geometry is not None
    mask = np.zeros(case.geometry.shape, bool)
    slices, rows, columns = (n // 3 for n in mask.shape)
    mask[slices : 2 * slices + 1, rows : 2 * rows, columns : 2 * columns] = True
    return write_approved(room, approve_mask(room, case.id, mask)), mask


def _contours(path: Path) -> list[Dataset]:
    return list(dcmread(path).ROIContourSequence[0].ContourSequence)


def _heights(path: Path) -> list[float]:
    return sorted({float(contour.ContourData[2]) for contour in _contours(path)})


def _read_back(path: Path, case: Case) -> Mask:
    assert case.geometry is not None
    (roi,) = read_structure_set(path).rois
    return mask_of_contours([c.points_mm for c in roi.contours], case.geometry).mask


def test_contours_on_an_uneven_series_stay_on_its_slices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = uneven_series(ZONES, shape=(12, 12))
    room = open_room(tmp_path)
    case = _assembled(room, series, tmp_path)
    path, mask = _approved(room, case)
    assert np.array_equal(_read_back(path, case), mask)
    assert _heights(path) == [15.0, 20.0, 22.5, 25.0]
    height_of = {str(ds.SOPInstanceUID): float(ds.ImagePositionPatient[2]) for ds in series}
    for contour in _contours(path):
        (image,) = contour.ContourImageSequence
        assert height_of[image.ReferencedSOPInstanceUID] == float(contour.ContourData[2])
    assert "unevenly spaced slices" in capsys.readouterr().out


def test_contours_on_an_enhanced_ct_name_their_frame(tmp_path: Path) -> None:
    instance = enhanced_ct([ct_series()[k] for k in (3, 0, 5, 1, 4, 2)])
    room = open_room(tmp_path)
    case = _assembled(room, [instance], tmp_path)
    path, mask = _approved(room, case)
    assert np.array_equal(_read_back(path, case), mask)
    heights = frame_heights_mm(instance)
    for contour in _contours(path):
        (image,) = contour.ContourImageSequence
        assert image.ReferencedSOPInstanceUID == instance.SOPInstanceUID
        assert heights[image.ReferencedFrameNumber - 1] == float(contour.ContourData[2])


def test_a_localizer_in_the_series_does_not_hold_the_delivery(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (scout,) = ct_series(shape=(1, 20, 30))
    named(scout, "1.2.77.88")
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    scout.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    room = open_room(tmp_path)
    case = _assembled(room, [scout, *ct_series(shape=(9, 24, 24))], tmp_path)
    path, mask = _approved(room, case)
    assert np.array_equal(_read_back(path, case), mask)
    assert "1.2.77.88" not in str(dcmread(path))
    assert "rt-utils agrees" in capsys.readouterr().out
