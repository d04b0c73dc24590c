"""Grids, doses and structures with a known answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.geometry import IDENTITY_DIRECTIONS, Mask, Points, Vector, VolumeGeometry
from core.volume import Volume

FRAME = "1.2.3.4"


def grid(
    shape: tuple[int, int, int],
    spacing_mm: Vector,
    origin_mm: Vector = (0.0, 0.0, 0.0),
    directions: tuple[Vector, Vector, Vector] = IDENTITY_DIRECTIONS,
) -> VolumeGeometry:
    return VolumeGeometry(shape, origin_mm, spacing_mm, FRAME, directions)


def centred(
    shape: tuple[int, int, int],
    spacing_mm: Vector,
    directions: tuple[Vector, Vector, Vector] = IDENTITY_DIRECTIONS,
) -> VolumeGeometry:
    """A grid whose middle lies at the origin of the patient."""
    plain = grid(shape, spacing_mm, directions=directions)
    middle = plain.index_to_mm((np.asarray(shape) - 1) / 2)
    x, y, z = -middle
    return grid(shape, spacing_mm, (float(x), float(y), float(z)), directions)


def filled(geometry: VolumeGeometry, dose_gy: Callable[[Points], Points]) -> Volume:
    """A dose grid that holds `dose_gy` of its voxel centres (..., 3), LPS mm."""
    return Volume(dose_gy(centres_mm(geometry)).astype(np.float64), geometry)


def ball(geometry: VolumeGeometry, radius_mm: float, centre_mm: Vector = (0.0, 0.0, 0.0)) -> Mask:
    away_mm = np.linalg.norm(centres_mm(geometry) - np.asarray(centre_mm), axis=-1)
    return np.asarray(away_mm <= radius_mm)


def centres_mm(geometry: VolumeGeometry) -> Points:
    return geometry.index_to_mm(np.moveaxis(np.indices(geometry.shape), 0, -1))


def turned(degrees: float) -> tuple[Vector, Vector, Vector]:
    """Directions of a grid that is turned about the feet-head axis."""
    cos, sin = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    return ((0.0, 0.0, 1.0), (-sin, cos, 0.0), (cos, sin, 0.0))
