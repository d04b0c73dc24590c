"""How far two surfaces are from each other: surface Dice, 95 % Hausdorff, mean distance.

The surface of a mask are its voxels with a face outside it. Distances run from the centre of a
surface voxel to the nearest surface voxel of the other mask (Nikolov et al. 2021 for the surface
Dice; Taha and Hanbury 2015 for the others).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from core.errors import GeometryMismatchError
from core.geometry import Mask

Distances = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SurfaceDistances:
    """Distances in mm from each surface voxel of one mask to the other's surface, both ways."""

    there_mm: Distances
    back_mm: Distances

    def surface_dice(self, tolerance_mm: float) -> float:
        """Share of both surfaces that lies within `tolerance_mm` of the other, 0..1."""
        near = np.count_nonzero(self.there_mm <= tolerance_mm)
        near += np.count_nonzero(self.back_mm <= tolerance_mm)
        total = len(self.there_mm) + len(self.back_mm)
        return near / total if total else 1.0

    def hausdorff_95_mm(self) -> float:
        """The larger of both 95th percentiles; 0 for two empty masks."""
        return max(_percentile_95(self.there_mm), _percentile_95(self.back_mm))

    def mean_mm(self) -> float:
        """Mean over both surfaces; 0 for two empty masks."""
        both = np.concatenate([self.there_mm, self.back_mm])
        return float(both.mean()) if len(both) else 0.0


def surface_distances(
    one: Mask, other: Mask, spacing_mm: tuple[float, float, float]
) -> SurfaceDistances:
    """Distances between the surfaces of two masks on one grid of `spacing_mm`.

    Where one of them is empty the other's distances are infinite. Raises `GeometryMismatchError`
    for masks of different shape.
    """
    if one.shape != other.shape:
        raise GeometryMismatchError(
            f"Masks have shapes {one.shape} and {other.shape}. Resample one onto the other first."
        )
    box = _box_of(one | other)
    a, b = _surface(one[box]), _surface(other[box])
    return SurfaceDistances(_to(b, spacing_mm)[a], _to(a, spacing_mm)[b])


def _surface(mask: Mask) -> Mask:
    # Outside the array there is nothing: a voxel on its border is on the surface.
    return np.asarray(mask & ~ndimage.binary_erosion(mask, border_value=0), bool)


def _to(surface: Mask, spacing_mm: tuple[float, float, float]) -> Distances:
    if not surface.any():
        return np.full(surface.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~surface, sampling=spacing_mm), np.float64)


def _box_of(mask: Mask) -> tuple[slice, ...]:
    if not mask.any():
        return (slice(0, 1),) * 3
    return ndimage.find_objects(mask.astype(np.uint8))[0] or (slice(None),) * 3


def _percentile_95(distances_mm: Distances) -> float:
    # A method without interpolation: between a number and infinity there is nothing.
    if not len(distances_mm):
        return 0.0
    return float(np.percentile(distances_mm, 95, method="higher"))
