"""Any orientation to the canonical one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import UnreadableObjectError
from core.geometry import IDENTITY_DIRECTIONS, Points, Vector, VolumeGeometry
from core.volume import Volume

# Rounded direction cosines; beyond it the axes are not what the standard allows.
_UNIT_TOLERANCE = 1e-3


def axes_of(orientation: Sequence[float]) -> Points:
    """Unit vectors (3, 3): slice normal, row index, column index (PS3.3 C.7.6.2.1.1).

    `orientation` is Image Orientation (Patient): where the column index grows towards, then
    where the row index does.
    """
    along_row, along_column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    lengths = np.linalg.norm([along_row, along_column], axis=1)
    if (
        np.abs(lengths - 1).max() > _UNIT_TOLERANCE
        or abs(along_row @ along_column) > _UNIT_TOLERANCE
    ):
        raise UnreadableObjectError(
            "Image Orientation (Patient) (0020,0037) does not hold two perpendicular unit vectors. "
            "Export the object again."
        )
    along_row = along_row / lengths[0]
    along_column = along_column - (along_column @ along_row) * along_row
    along_column = along_column / np.linalg.norm(along_column)
    return np.stack([np.cross(along_row, along_column), along_column, along_row])


def canonical_order(axes: Points) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which axis comes where, and which of these are then reversed.

    Afterwards the indices grow superior, posterior and left as nearly as the axes allow.
    """
    towards = axes @ np.asarray(IDENTITY_DIRECTIONS).T
    first, second, third = max(
        permutations(range(3)), key=lambda p: sum(abs(towards[p[i], i]) for i in range(3))
    )
    reverse = [bool(towards[axis, i] < 0) for i, axis in enumerate((first, second, third))]
    return (first, second, third), (reverse[0], reverse[1], reverse[2])


def canonical_values(values: npt.NDArray[Any], axes: Points) -> npt.NDArray[Any]:
    """`values`, indexed along `axes`, with its indices growing superior, posterior and left."""
    order, reverse = canonical_order(axes)
    flips = tuple(slice(None, None, -1 if reversed_ else 1) for reversed_ in reverse)
    return np.ascontiguousarray(values.transpose(order)[flips])


def canonical_volume(
    values: npt.NDArray[Any],
    axes: Points,
    origin_mm: npt.ArrayLike,
    spacing_mm: Sequence[float],
    frame_of_reference_uid: str,
    *,
    slice_offsets_mm: tuple[float, ...] | None = None,
) -> Volume:
    """The volume with its indices growing superior, posterior and left.

    `values` is indexed along `axes` (unit vectors); `origin_mm` is the position of index 0, 0, 0
    and `spacing_mm` the step along each axis. `slice_offsets_mm`, for slices that are not evenly
    spaced, is their distance from the first; they must then be axial.
    """
    order, reverse = canonical_order(axes)
    steps = axes * np.asarray(spacing_mm)[:, None]
    origin = np.asarray(origin_mm, np.float64)
    for axis, reversed_ in zip(order, reverse, strict=True):
        if reversed_:
            origin = origin + (values.shape[axis] - 1) * steps[axis]
    if slice_offsets_mm is not None and reverse[0]:
        slice_offsets_mm = tuple(slice_offsets_mm[-1] - mm for mm in slice_offsets_mm[::-1])
    moved = canonical_values(values, axes)
    slice_mm, row_mm, column_mm = (float(spacing_mm[axis]) for axis in order)
    signs = np.where(reverse, -1.0, 1.0)
    return Volume(
        moved,
        VolumeGeometry(
            shape=(moved.shape[0], moved.shape[1], moved.shape[2]),
            origin_mm=_vector(origin),
            spacing_mm=(slice_mm, row_mm, column_mm),
            frame_of_reference_uid=frame_of_reference_uid,
            directions=(
                _vector(axes[order[0]] * signs[0]),
                _vector(axes[order[1]] * signs[1]),
                _vector(axes[order[2]] * signs[2]),
            ),
            slice_offsets_mm=slice_offsets_mm,
        ),
    )


def _vector(values: npt.NDArray[Any]) -> Vector:
    # Adding zero turns -0.0 into 0.0: it would read oddly in a message.
    x, y, z = (float(v) + 0.0 for v in values)
    return (x, y, z)
