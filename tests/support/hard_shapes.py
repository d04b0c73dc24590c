"""Masks that are hard to write as contours, and series that are hard to write them on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.geometry import Mask, VolumeGeometry
from core.volume import CtVolume
from dicom_node.objects.ct_reader import read_ct
from tests.support.synthetic_dicom import PATIENT_POSITIONS, ct_series, written
from tests.support.uneven_series import ZONES, uneven_series

UNEVEN = "uneven slices"
_OBLONG: dict[str, Any] = {"shape": (20, 48, 36), "spacing_mm": (3.0, 2.0, 1.5)}
_SERIES: dict[str, dict[str, Any]] = {
    "square": {"shape": (24, 40, 40), "spacing_mm": (2.5, 1.5, 1.5)},
    "not square": {"shape": (16, 44, 30), "spacing_mm": (3.0, 2.0, 2.0)},
    "anisotropic": {"shape": (12, 60, 30), "spacing_mm": (5.0, 0.8, 2.1)},
    **{position: {**_OBLONG, "patient_position": position} for position in PATIENT_POSITIONS},
}
EVEN_SERIES = tuple(_SERIES)
ALL_SERIES = (*EVEN_SERIES, UNEVEN)


def hard_ct(series: str, folder: Path) -> tuple[CtVolume, list[Path]]:
    """The CT of this name as it is read back, and its files in `folder`."""
    if series == UNEVEN:
        paths = written(uneven_series(ZONES, shape=(40, 34)), folder)
    else:
        paths = written(ct_series(hu=_water, **_SERIES[series]), folder)
    return read_ct(paths), paths


def hard_masks(geometry: VolumeGeometry) -> dict[str, Mask]:
    """Each shape on this grid, by a name that fits a ROI."""
    return {name: shape(geometry) for name, shape in _SHAPES.items()}


def dice(first: Mask, second: Mask) -> float:
    """Overlap of two masks, 1.0 where both are empty."""
    total = int(first.sum() + second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def _water(
    x: npt.NDArray[Any], y: npt.NDArray[Any], z: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    return np.asarray(0.0 * (x + y + z), np.float64)


def _from_middle_mm(geometry: VolumeGeometry) -> npt.NDArray[np.float64]:
    """LPS positions (slice, row, column, 3) of the voxel centres, from the middle of the grid."""
    indices = np.moveaxis(np.indices(geometry.shape), 0, -1)
    middle = geometry.index_to_mm((np.asarray(geometry.shape) - 1) / 2 + 0.15)
    return np.asarray(geometry.index_to_mm(indices) - middle, np.float64)


def _ball(
    geometry: VolumeGeometry, radius_mm: float, centre_mm: tuple[float, float, float] = (0, 0, 0)
) -> Mask:
    distance_mm = np.linalg.norm(_from_middle_mm(geometry) - np.asarray(centre_mm), axis=-1)
    return np.asarray(distance_mm <= radius_mm, np.bool_)


def _heart_with_hole(geometry: VolumeGeometry) -> Mask:
    return _ball(geometry, 24.0) & ~_ball(geometry, 9.0, (3.0, -2.0, 1.0))


def _sphere(geometry: VolumeGeometry) -> Mask:
    return _ball(geometry, 5.0)


def _torus(geometry: VolumeGeometry) -> Mask:
    x, y, z = np.moveaxis(_from_middle_mm(geometry), -1, 0)
    return np.asarray((np.hypot(x, y) - 16.0) ** 2 + z**2 <= 6.0**2, np.bool_)


def _two_components(geometry: VolumeGeometry) -> Mask:
    return _ball(geometry, 7.0, (-12.0, 5.0, 0.0)) | _ball(geometry, 9.0, (11.0, -9.0, 4.0))


def _single_voxel(geometry: VolumeGeometry) -> Mask:
    mask = np.zeros(geometry.shape, np.bool_)
    mask[tuple(n // 3 for n in geometry.shape)] = True
    return mask


def _at_the_border(geometry: VolumeGeometry) -> Mask:
    """The frame of the image on the outermost slices, and every corner of the others."""
    mask = np.zeros(geometry.shape, np.bool_)
    mask[:, [0, 0, -1, -1], [0, -1, 0, -1]] = True
    for edge in (0, -1):
        mask[edge, [0, -1]] = True
        mask[edge, :, [0, -1]] = True
    return mask


def _rings_with_islands(geometry: VolumeGeometry) -> Mask:
    """Rings of two voxels about the middle, each in the hole of the next."""
    _, rows, columns = geometry.shape
    row, column = np.ogrid[:rows, :columns]
    far = np.maximum(np.abs(row - rows // 2), np.abs(column - columns // 2))
    mask = np.zeros(geometry.shape, np.bool_)
    mask[2:5] = (far % 4 < 2) & (far < 12)
    return mask


def _diagonals(geometry: VolumeGeometry) -> Mask:
    """A chess board: voxels that touch at their corners alone."""
    mask = np.zeros(geometry.shape, np.bool_)
    board = np.indices((10, 12)).sum(axis=0) % 2 == 0
    mask[3:6, 5:15, 6:18] = board
    return mask


_SHAPES: dict[str, Callable[[VolumeGeometry], Mask]] = {
    "Heart": _heart_with_hole,
    "Sphere_r5": _sphere,
    "Torus": _torus,
    "Two_parts": _two_components,
    "Voxel": _single_voxel,
    "Border": _at_the_border,
    "Islands": _rings_with_islands,
    "Diagonals": _diagonals,
}
