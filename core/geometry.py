"""Where voxels sit in the patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from core.errors import GeometryMismatchError

Mask = npt.NDArray[np.bool_]
Vector = tuple[float, float, float]
Points = npt.NDArray[np.float64]

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
    """

    shape: tuple[int, int, int]
    origin_mm: Vector
    spacing_mm: Vector
    frame_of_reference_uid: str
    directions: tuple[Vector, Vector, Vector] = IDENTITY_DIRECTIONS

    def describe(self) -> str:
        """Shape, spacing and origin in one line, for messages."""
        spacing = " x ".join(f"{mm:.3f}" for mm in self.spacing_mm)
        origin = ", ".join(f"{mm:.2f}" for mm in self.origin_mm)
        return f"{self.shape} voxels of {spacing} mm from ({origin}) mm"

    def voxel_volume_cc(self) -> float:
        """Volume of one voxel in cubic centimetres."""
        slice_mm, row_mm, column_mm = self.spacing_mm
        return slice_mm * row_mm * column_mm / 1000.0

    def step_matrix_mm(self) -> Points:
        """3 x 3; row i is the LPS step in mm for one step of index i (slice, row, column)."""
        matrix: Points = np.asarray(self.directions) * np.asarray(self.spacing_mm)[:, None]
        return matrix

    def index_to_mm(self, indices: npt.ArrayLike) -> Points:
        """LPS positions (..., 3) in mm of (slice, row, column) indices (..., 3), fractions too."""
        steps = np.asarray(indices, np.float64) @ self.step_matrix_mm()
        return np.asarray(steps + np.asarray(self.origin_mm), np.float64)

    def mm_to_index(self, points_mm: npt.ArrayLike) -> Points:
        """Fractional (slice, row, column) indices (..., 3) of LPS positions (..., 3) in mm."""
        offset = np.asarray(points_mm, np.float64) - np.asarray(self.origin_mm)
        return np.asarray(offset @ np.linalg.inv(self.step_matrix_mm()), np.float64)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the store and the browser."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The geometry that `to_json` wrote."""
        slices, rows, columns = (int(n) for n in values["shape"])
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
    )
    if not same:
        raise GeometryMismatchError(
            f"Grids differ: {a.describe()} against {b.describe()}. "
            "Resample one onto the other with core.resample."
        )


def _vector(values: Any) -> Vector:
    x, y, z = (float(v) for v in values)
    return (x, y, z)
