"""The canvas a synthetic CT is painted on: warped coordinates, soft solids, smooth noise.

Coordinates are millimetres about the centre of the heart: x grows left, y posterior, z superior.
Arrays have index order (slice, row, column), that is (z, y, x). A *distance* is a field in mm,
negative inside a solid, about Euclidean near its surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating[Any]]
Triple = tuple[float, float, float] | npt.NDArray[np.float64]
Box = tuple[slice, slice, slice]

AIR_HU = -1000.0
WHOLE: Box = (slice(None), slice(None), slice(None))
_LATTICE_HALF_MM = 420.0


@dataclass(frozen=True, slots=True)
class Solid:
    """A solid inside a box of the canvas; `distance` (mm) has the box's shape."""

    box: Box
    distance: Field


class Canvas:
    """HU being painted, and where in the body each voxel lies.

    `corner_mm` is the centre of the first voxel as (z, y, x). The coordinate fields x, y, z are
    warped by a few mm, so that nothing painted is a perfect ellipse.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        corner_mm: tuple[float, float, float],
    ) -> None:
        self.shape = shape
        self.spacing_mm = spacing_mm
        self.corner_mm = corner_mm
        self.axes_mm = [
            (corner + np.arange(n) * step).astype(np.float32)
            for corner, n, step in zip(corner_mm, shape, spacing_mm, strict=True)
        ]
        self.edge_mm = max(2.0, 0.9 * max(spacing_mm))
        self.hu: Field = np.full(shape, AIR_HU, np.float32)
        flat = np.meshgrid(*self.axes_mm, indexing="ij")
        self.z, self.y, self.x = flat

    def warp(self, rng: np.random.Generator, amplitude_mm: float) -> None:
        """Bend the coordinates by smooth noise of `amplitude_mm`."""
        for name in ("z", "y", "x"):
            bent = getattr(self, name) + self.noise(rng, 55.0) * np.float32(amplitude_mm)
            setattr(self, name, bent)

    def noise(self, rng: np.random.Generator, length_mm: float) -> Field:
        """A smooth random field of about unit variance and correlation length `length_mm`.

        Its lattice stands still in the body, so the field does not depend on the voxel grid.
        """
        nodes = int(2 * _LATTICE_HALF_MM / length_mm) + 2
        field = rng.standard_normal((nodes, nodes, nodes), dtype=np.float32)
        for axis, at_mm in enumerate(self.axes_mm):
            place = (at_mm + _LATTICE_HALF_MM) / length_mm
            below = np.clip(np.floor(place).astype(int), 0, nodes - 2)
            t = np.clip(place - below, 0, 1).astype(np.float32)
            t = (t * t * (3 - 2 * t)).reshape([-1 if a == axis else 1 for a in range(3)])
            field = np.take(field, below, axis) * (1 - t) + np.take(field, below + 1, axis) * t
        return field * np.float32(1.6)

    def box(self, centre: Triple, half_mm: Triple, margin_mm: float = 22.0) -> Box:
        """The voxels within `half_mm` + `margin_mm` of `centre`, both (x, y, z)."""
        cut = []
        for axis in range(3):
            middle, half = centre[2 - axis], half_mm[2 - axis] + margin_mm
            n, step, corner = self.shape[axis], self.spacing_mm[axis], self.corner_mm[axis]
            first = int(np.floor((middle - half - corner) / step))
            after = int(np.ceil((middle + half - corner) / step)) + 1
            cut.append(slice(min(max(first, 0), n), max(min(after, n), 0)))
        return (cut[0], cut[1], cut[2])

    def ellipsoid(
        self,
        centre: Triple,
        radii_mm: Triple,
        turn: npt.NDArray[np.float64] | None = None,
        box: Box | None = None,
    ) -> Solid:
        """An ellipsoid, its axes turned by the 3 x 3 rotation `turn`."""
        reach = float(max(radii_mm))
        box = box or self.box(centre, (reach, reach, reach))
        away = [
            field[box] - np.float32(middle)
            for field, middle in zip((self.x, self.y, self.z), centre, strict=True)
        ]
        if turn is not None:
            t = turn.astype(np.float32)
            away = [t[0, i] * away[0] + t[1, i] * away[1] + t[2, i] * away[2] for i in range(3)]
        squares = [(a / np.float32(r)) ** 2 for a, r in zip(away, radii_mm, strict=True)]
        scale = 0.6 * float(min(radii_mm)) + 0.4 * float(np.mean(radii_mm))
        return Solid(box, (np.sqrt(squares[0] + squares[1] + squares[2]) - 1) * np.float32(scale))

    def capsule(
        self, start: Triple, end: Triple, radius_mm: float, end_radius_mm: float | None = None
    ) -> Solid:
        """A round-ended rod from `start` to `end`, its radius running to `end_radius_mm`."""
        end_radius_mm = radius_mm if end_radius_mm is None else end_radius_mm
        a, b = np.asarray(start, np.float32), np.asarray(end, np.float32)
        half = np.abs(a - b) / 2 + max(radius_mm, end_radius_mm)
        box = self.box((a + b) / 2, half, margin_mm=16.0)
        px, py, pz = self.x[box] - a[0], self.y[box] - a[1], self.z[box] - a[2]
        run = b - a
        t = np.clip((px * run[0] + py * run[1] + pz * run[2]) / (run @ run), 0, 1)
        off = (px - t * run[0]) ** 2 + (py - t * run[1]) ** 2 + (pz - t * run[2]) ** 2
        radius = np.float32(radius_mm) + t * np.float32(end_radius_mm - radius_mm)
        return Solid(box, np.sqrt(off) - radius)

    def paint(self, solid: Solid, hu: float | Field, *, softer: float = 1.0) -> None:
        """Blend `hu` (a number, or a field on the solid's box) into the solid, with a soft edge."""
        share = np.clip(0.5 - solid.distance / np.float32(self.edge_mm * softer), 0, 1)
        target = self.hu[solid.box]
        value = np.float32(hu) if isinstance(hu, float | int) else hu
        target += share * (value - target)


def rotation(about_x: float, about_y: float, about_z: float) -> npt.NDArray[np.float64]:
    """3 x 3 rotation by three angles in radians, x first."""
    (cx, cy, cz), (sx, sy, sz) = (
        np.cos((about_x, about_y, about_z)),
        np.sin((about_x, about_y, about_z)),
    )
    turn_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    turn_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    turn_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(turn_z @ turn_y @ turn_x, np.float64)


def smooth_union(a: Field, b: Field, blend_mm: float) -> Field:
    """Distance to the union of two solids, their seam rounded over `blend_mm`."""
    k = np.float32(blend_mm)
    h = np.clip(0.5 + 0.5 * (b - a) / k, 0, 1)
    return np.asarray(b * (1 - h) + a * h - k * h * (1 - h), np.float32)
