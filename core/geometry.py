"""Where voxels sit in the patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from core.errors import GeometryMismatchError

Mask = npt.NDArray[np.bool_]
Vector = tuple[float, float, float]
Points = npt.NDArray[np.float64]
Box = tuple[slice, slice, slice]

IDENTITY_DIRECTIONS: tuple[Vector, Vector, Vector] = (
    (0.0, 0.0, 1.0),
    (0.0, 1.0, 0.0),
    (1.0, 0.0, 0.0),
)


@dataclass(frozen=True, slots=True)
class VolumeGeometry:
    """Grid of voxel centres in the DICOM patient coordinate system (PS3.3 C.7.6.2.1.1).

    Index order is (slice, row, column); positions are LPS millimetres. `directions` holds three
    unit vectors: where in the patient the slice, the row and the column index grow towards. A
    volume read from a CT series is *canonical*: they point superior, posterior and left, as near
    as the scan allows, whatever the patient position was.

    `slice_offsets_mm` is None for evenly spaced slices. Otherwise it holds the distance of each
    slice from the first along `directions[0]`, growing from 0; the first of `spacing_mm` is then
    the mean distance and says where no slice is. Between two slices positions are interpolated,
    beyond the first and the last the outermost gap goes on.
    """

    shape: tuple[int, int, int]
    origin_mm: Vector
    spacing_mm: Vector
    frame_of_reference_uid: str
    directions: tuple[Vector, Vector, Vector] = IDENTITY_DIRECTIONS
    slice_offsets_mm: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        offsets = self.slice_offsets_mm
        if offsets is None:
            return
        if len(offsets) != self.shape[0] or offsets[0] != 0.0 or np.any(np.diff(offsets) <= 0.0):
            raise GeometryMismatchError(
                f"{len(offsets)} slice offsets were given for {self.shape[0]} slices; expected one "
                "for each, growing from 0. Take them from the slices' positions in order."
            )

    def describe(self) -> str:
        """Shape, spacing and origin in one line, for messages."""
        slice_mm, row_mm, column_mm = self.spacing_mm
        slices = f"{slice_mm:.3f}"
        if self.slice_offsets_mm is not None and self.shape[0] > 1:
            gaps = np.diff(self.slice_offsets_mm)
            slices = f"{gaps.min():.3f} to {gaps.max():.3f}"
        origin = ", ".join(f"{mm:.2f}" for mm in self.origin_mm)
        spacing = f"{slices} x {row_mm:.3f} x {column_mm:.3f}"
        return f"{self.shape} voxels of {spacing} mm from ({origin}) mm"

    def slice_positions_mm(self) -> Points:
        """Distance (n,) in mm of each slice from the first, along `directions[0]`."""
        if self.slice_offsets_mm is None:
            return np.asarray(self.spacing_mm[0] * np.arange(self.shape[0]), np.float64)
        return np.asarray(self.slice_offsets_mm, np.float64)

    def slice_thicknesses_mm(self) -> Points:
        """What each slice stands for (n,) in mm: half way to either neighbour.

        The first and the last reach as far outwards as inwards.
        """
        if self.slice_offsets_mm is None or self.shape[0] < 2:
            return np.full(self.shape[0], self.spacing_mm[0])
        gaps = np.diff(self.slice_offsets_mm)
        return np.asarray((np.r_[gaps[:1], gaps] + np.r_[gaps, gaps[-1:]]) / 2.0, np.float64)

    def voxel_volumes_cc(self) -> Points:
        """Volume (n,) in cubic centimetres of a voxel of each slice."""
        _, row_mm, column_mm = self.spacing_mm
        return np.asarray(self.slice_thicknesses_mm() * row_mm * column_mm / 1000.0, np.float64)

    def volume_cc(self, mask: Mask) -> float:
        """Volume in cubic centimetres of `mask`, which lies on this grid."""
        if mask.shape != self.shape:
            raise GeometryMismatchError(
                f"The mask has shape {mask.shape}, its geometry says {self.shape}. "
                "Resample the mask onto the volume with core.resample."
            )
        return float(np.count_nonzero(mask, axis=(1, 2)) @ self.voxel_volumes_cc())

    def step_matrix_mm(self) -> Points:
        """3 x 3; row i is the LPS step in mm for one step of index i (slice, row, column).

        The step between slices is the mean one where they are not evenly spaced.
        """
        matrix: Points = np.asarray(self.directions) * np.asarray(self.spacing_mm)[:, None]
        return matrix

    def index_to_mm(self, indices: npt.ArrayLike) -> Points:
        """LPS positions (..., 3) in mm of (slice, row, column) indices (..., 3), fractions too."""
        even = np.asarray(indices, np.float64)
        if self.slice_offsets_mm is not None:
            even = _with_slice(even, self._offset_mm(even[..., 0]) / self.spacing_mm[0])
        return np.asarray(even @ self.step_matrix_mm() + np.asarray(self.origin_mm), np.float64)

    def mm_to_index(self, points_mm: npt.ArrayLike) -> Points:
        """Fractional (slice, row, column) indices (..., 3) of LPS positions (..., 3) in mm."""
        offset = np.asarray(points_mm, np.float64) - np.asarray(self.origin_mm)
        even = np.asarray(offset @ np.linalg.inv(self.step_matrix_mm()), np.float64)
        if self.slice_offsets_mm is None:
            return even
        return _with_slice(even, self._slice_at(even[..., 0] * self.spacing_mm[0]))

    def cut(self, box: Box) -> Self:
        """The grid of the voxels in `box`, plain slices within this one."""
        x, y, z = self.index_to_mm([part.start for part in box])
        slices, rows, columns = (part.stop - part.start for part in box)
        offsets = self.slice_offsets_mm
        if offsets is not None:
            offsets = tuple(mm - offsets[box[0].start] for mm in offsets[box[0]])
        return replace(
            self,
            shape=(slices, rows, columns),
            origin_mm=(float(x), float(y), float(z)),
            slice_offsets_mm=offsets,
        )

    def _offset_mm(self, index: Points) -> Points:
        """Distance from the first slice of fractional slice indices."""
        offsets = self.slice_positions_mm()
        if len(offsets) < 2:
            return np.asarray(index * self.spacing_mm[0], np.float64)
        low = np.clip(np.floor(index), 0, len(offsets) - 2).astype(np.intp)
        return np.asarray(offsets[low] + (index - low) * np.diff(offsets)[low], np.float64)

    def _slice_at(self, offset_mm: Points) -> Points:
        """Fractional slice index at distances from the first slice."""
        offsets = self.slice_positions_mm()
        if len(offsets) < 2:
            return np.asarray(offset_mm / self.spacing_mm[0], np.float64)
        low = np.clip(np.searchsorted(offsets, offset_mm, "right") - 1, 0, len(offsets) - 2)
        return np.asarray(low + (offset_mm - offsets[low]) / np.diff(offsets)[low], np.float64)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the store and the browser."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The geometry that `to_json` wrote."""
        slices, rows, columns = (int(n) for n in values["shape"])
        # Absent in what was written before uneven series were read.
        offsets = values.get("slice_offsets_mm")
        return cls(
            shape=(slices, rows, columns),
            origin_mm=_vector(values["origin_mm"]),
            spacing_mm=_vector(values["spacing_mm"]),
            frame_of_reference_uid=str(values["frame_of_reference_uid"]),
            directions=(
                _vector(values["directions"][0]),
                _vector(values["directions"][1]),
                _vector(values["directions"][2]),
            ),
            slice_offsets_mm=None if offsets is None else tuple(float(mm) for mm in offsets),
        )


def require_same_frame_of_reference(a: VolumeGeometry, b: VolumeGeometry) -> None:
    """Raise `GeometryMismatchError` unless coordinates of both may be compared."""
    if a.frame_of_reference_uid != b.frame_of_reference_uid:
        raise GeometryMismatchError(
            f"Frame of Reference differs: {a.frame_of_reference_uid} and "
            f"{b.frame_of_reference_uid}. Register the series first, or pick the object that was "
            "made on this series."
        )


def require_same_grid(a: VolumeGeometry, b: VolumeGeometry, *, tolerance_mm: float = 1e-3) -> None:
    """Raise `GeometryMismatchError` unless both grids coincide within `tolerance_mm`."""
    require_same_frame_of_reference(a, b)
    same = (
        a.shape == b.shape
        and np.allclose(a.origin_mm, b.origin_mm, rtol=0.0, atol=tolerance_mm)
        and np.allclose(a.spacing_mm, b.spacing_mm, rtol=0.0, atol=tolerance_mm / max(a.shape))
        and np.allclose(a.directions, b.directions, rtol=0.0, atol=1e-5)
        and np.allclose(a.slice_positions_mm(), b.slice_positions_mm(), rtol=0.0, atol=tolerance_mm)
    )
    if not same:
        raise GeometryMismatchError(
            f"Grids differ: {a.describe()} against {b.describe()}. "
            "Resample one onto the other with core.resample."
        )


def _vector(values: Any) -> Vector:
    x, y, z = (float(v) for v in values)
    return (x, y, z)


def _with_slice(indices: Points, slice_index: Points) -> Points:
    return np.concatenate([slice_index[..., None], indices[..., 1:]], axis=-1)
