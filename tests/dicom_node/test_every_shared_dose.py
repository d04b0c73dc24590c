"""Every RT Dose of the shared data gives the right mean dose, or a refusal with its reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset, dcmread
from scipy.ndimage import map_coordinates

from core.errors import DamagedObjectError, UnreadableObjectError
from core.geometry import VolumeGeometry
from dicom_node.objects.rtdose_reader import read_dose
from dose.metrics import roi_dose
from tests.support.shared_data import shared_data

RADIUS_MM = 15.0
# What is refused, by the end of its path, and the reason; all others have a mean dose.
REFUSED = {
    **{
        f"odd-pydicom/test_files/{name}.dcm": "Dose Units .* RELATIVE"
        for name in (
            "badVR",
            "rtdose",
            "rtdose_1frame",
            "rtdose_expb",
            "rtdose_expb_1frame",
            "rtdose_rle",
            "rtdose_rle_1frame",
        )
    },
    "odd-rtdose-varian-feet-first/rtdose_non_square_pixels.dcm": "not a DICOM file .* Send",
}


def _is_dose(path: Path) -> bool:
    try:
        ds = dcmread(path, stop_before_pixels=True, force=True)
        return str(ds.get("Modality", "")) == "RTDOSE"
    except Exception:  # noqa: BLE001 (files that are broken on purpose break pydicom in any way)
        return False


@pytest.mark.filterwarnings("ignore")  # files that are odd on purpose
def test_every_dose_gives_the_mean_that_its_bytes_say_or_a_reason() -> None:
    root = shared_data("odd-rtdose-varian-feet-first").parent
    suffixes = {".dcm", ""}  # CT slices are named .dcm as well: the modality decides
    paths = [p for p in sorted(root.rglob("*")) if p.is_file() and p.suffix in suffixes]
    doses = {p.relative_to(root).as_posix(): p for p in paths if _is_dose(p)}
    assert set(doses) >= set(REFUSED)
    assert len(doses) - len(REFUSED) >= 6
    for name, path in doses.items():
        if name in REFUSED:
            with pytest.raises((UnreadableObjectError, DamagedObjectError), match=REFUSED[name]):
                read_dose(path)
            continue
        dose = read_dose(path).volume
        ball, around = _ball_at_the_hottest(dcmread(path))
        lies_here = replace(around, frame_of_reference_uid=dose.geometry.frame_of_reference_uid)
        found = roi_dose(dose, ball, lies_here)
        mean_gy, coverage = _mean_as_the_bytes_say(dcmread(path), ball, around)
        assert found.mean_gy == pytest.approx(mean_gy, rel=1e-5), name
        assert found.coverage == pytest.approx(coverage, abs=1e-9), name


def _axes(ds: Dataset) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(position of the first voxel, steps of frame, row and column) as PS3.3 C.8.8.3.2 says."""
    along_row, along_column = np.reshape(np.asarray(ds.ImageOrientationPatient, float), (2, 3))
    offsets = np.atleast_1d(np.asarray(ds.get("GridFrameOffsetVector") or 0.0, float))
    frame_mm = offsets[1] - offsets[0] if len(offsets) > 1 else 1.0
    rows_mm, columns_mm = map(float, ds.PixelSpacing)
    normal = np.cross(along_row, along_column)
    steps = np.array([normal * frame_mm, along_column * rows_mm, along_row * columns_mm])
    return np.asarray(ds.ImagePositionPatient, float), steps


def _ball_at_the_hottest(
    ds: Dataset,
) -> tuple[npt.NDArray[np.bool_], VolumeGeometry]:
    """A ball about the hottest voxel on a grid of its own; of a single plane a disc."""
    origin, steps = _axes(ds)
    stored = np.atleast_3d(ds.pixel_array).reshape(-1, ds.Rows, ds.Columns)
    centre = origin + np.array(np.unravel_index(stored.argmax(), stored.shape)) @ steps
    sides = (1 if len(stored) == 1 else 21, 31, 31)
    spacing = (1.7, 1.1, 1.3)
    corner = centre - [(n - 1) / 2 * mm for n, mm in zip(sides[::-1], spacing[::-1], strict=True)]
    grid = VolumeGeometry(sides, (corner[0], corner[1], corner[2]), spacing, "any")
    away = grid.index_to_mm(np.moveaxis(np.indices(sides), 0, -1)) - centre
    return np.linalg.norm(away, axis=-1) <= RADIUS_MM, grid


def _mean_as_the_bytes_say(
    ds: Dataset, mask: npt.NDArray[np.bool_], grid: VolumeGeometry
) -> tuple[float, float]:
    """(mean in Gy of the covered voxels, their share): general interpolation of plain pydicom."""
    origin, steps = _axes(ds)
    gray = ds.pixel_array.astype(float).reshape(-1, ds.Rows, ds.Columns)
    gray = gray * float(ds.DoseGridScaling)
    points = grid.index_to_mm(np.argwhere(mask))
    index = (points - origin) @ np.linalg.inv(steps)
    rim = 0.01 / np.linalg.norm(steps, axis=1)
    covered = ((index >= -rim) & (index <= np.array(gray.shape) - 1 + rim)).all(axis=1)
    values = map_coordinates(gray, index[covered].T, order=1, mode="nearest")
    return float(values.mean()), float(covered.mean())
