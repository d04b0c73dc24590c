"""The canvas a synthetic CT is painted on: warped coordinates, soft solids, smooth noise.

Coordinates are millimetres about the centre of the heart: x grows left, y posterior, z superior.
Arrays have index order (slice, row, column), that is (z, y, x). A *distance* is a field in mm,
negative inside a solid, about Euclidean near its surface.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating[Any]]
Matrix = npt.NDArray[np.float64]
Triple = tuple[float, float, float] | Matrix
Box = tuple[slice, slice, slice]

AIR_HU = -1000.0
WHOLE: Box = (slice(None), slice(None), slice(None))
_LATTICE_HALF_MM = (580.0, 320.0, 340.0)
_FAR_MM = 99.0


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
        self.bend_mm: Field = np.zeros(shape[0], np.float32)

    def warp(self, rng: np.random.Generator, amplitude_mm: float) -> None:
        """Bend the coordinates by smooth noise of `amplitude_mm`."""
        for name in ("z", "y", "x"):
            field = self.noise(rng, 55.0)
            field *= np.float32(amplitude_mm)
            field += getattr(self, name)
            setattr(self, name, field)

    def bend(self, forward_mm: Callable[[Field], Field]) -> None:
        """Move what lies at each height (mm) forward by so many mm: the curve of the spine."""
        self.bend_mm = forward_mm(self.axes_mm[0]).astype(np.float32)
        self.y += self.bend_mm[:, None, None]

    def noise(self, rng: np.random.Generator, length_mm: float, box: Box = WHOLE) -> Field:
        """A smooth random field of about unit variance and correlation length `length_mm`.

        Its lattice stands still in the body, so the field does not depend on the voxel grid.
        """
        counts = [int(2 * half_mm / length_mm) + 2 for half_mm in _LATTICE_HALF_MM]
        lattice = rng.standard_normal(counts, dtype=np.float32) * np.float32(1.6)
        weights, used = [], []
        for axis, (nodes, half_mm) in enumerate(zip(counts, _LATTICE_HALF_MM, strict=True)):
            place = (self.axes_mm[axis][box[axis]] + half_mm) / length_mm
            below = np.clip(np.floor(place).astype(int), 0, nodes - 2)
            t = np.clip(place - below, 0, 1).astype(np.float32)
            t = t * t * (3 - 2 * t)
            first = int(below.min(initial=nodes - 2))
            last = int(below.max(initial=first)) + 2
            share = np.zeros((len(place), last - first), np.float32)
            rows = np.arange(len(place))
            share[rows, below - first], share[rows, below - first + 1] = 1 - t, t
            weights.append(share)
            used.append(slice(first, last))
        field = np.tensordot(weights[0], lattice[used[0], used[1], used[2]], 1)
        return np.asarray(np.matmul(np.matmul(weights[1], field), weights[2].T), np.float32)

    def box(self, centre: Triple, half_mm: Triple, margin_mm: float = 18.0) -> Box:
        """The voxels within `half_mm` + `margin_mm` of `centre`, both (x, y, z)."""
        cut = [self._range(0, centre[2], centre[2], half_mm[2] + margin_mm)]
        bend = self.bend_mm[cut[0]]
        low, high = float(bend.min(initial=99.0)), float(bend.max(initial=-99.0))
        cut.append(self._range(1, centre[1] - high, centre[1] - low, half_mm[1] + margin_mm))
        cut.append(self._range(2, centre[0], centre[0], half_mm[0] + margin_mm))
        return (cut[0], cut[1], cut[2])

    def _range(self, axis: int, low_mm: float, high_mm: float, around_mm: float) -> slice:
        n, step, corner = self.shape[axis], self.spacing_mm[axis], self.corner_mm[axis]
        first = int(np.floor((low_mm - around_mm - corner) / step))
        after = int(np.ceil((high_mm + around_mm - corner) / step)) + 1
        return slice(min(max(first, 0), n), max(min(after, n), 0))

    def ellipsoid(
        self,
        centre: Triple,
        radii_mm: Triple,
        turn: Matrix | None = None,
        box: Box | None = None,
    ) -> Solid:
        """An ellipsoid, its axes turned by the 3 x 3 rotation `turn`."""
        reach = float(max(radii_mm))
        half = (reach, reach, reach) if turn is not None else radii_mm
        box = box or self.box(centre, half)
        away = [
            field[box] - np.float32(middle)
            for field, middle in zip((self.x, self.y, self.z), centre, strict=True)
        ]
        if turn is not None:
            t = turn.astype(np.float32)
            away = [t[0, i] * away[0] + t[1, i] * away[1] + t[2, i] * away[2] for i in range(3)]
        total = np.zeros_like(away[0])
        for along, radius_mm in zip(away, radii_mm, strict=True):
            share = along * np.float32(1 / radius_mm)
            share *= share
            total += share
        np.sqrt(total, out=total)
        total -= 1
        total *= np.float32(0.6 * float(min(radii_mm)) + 0.4 * float(np.mean(radii_mm)))
        return Solid(box, total)

    def capsule(
        self, start: Triple, end: Triple, radius_mm: float, end_radius_mm: float | None = None
    ) -> Solid:
        """A round-ended rod from `start` to `end`, its radius running to `end_radius_mm`."""
        end_radius_mm = radius_mm if end_radius_mm is None else end_radius_mm
        a, b = np.asarray(start, np.float32), np.asarray(end, np.float32)
        half = np.abs(a - b) / 2 + max(radius_mm, end_radius_mm)
        box = self.box((a + b) / 2, half, margin_mm=15.0)
        px, py, pz = self.x[box] - a[0], self.y[box] - a[1], self.z[box] - a[2]
        run = b - a
        t = (px * run[0] + py * run[1] + pz * run[2]) * np.float32(1 / (run @ run))
        np.clip(t, 0, 1, out=t)
        px -= t * run[0]
        py -= t * run[1]
        pz -= t * run[2]
        off = np.sqrt(px * px + py * py + pz * pz)
        off -= np.float32(radius_mm) + t * np.float32(end_radius_mm - radius_mm)
        return Solid(box, off)

    def tube(self, points: Sequence[Triple], radii_mm: Sequence[float] | float) -> Solid:
        """A curved vessel through `points`, with a radius at each of them."""
        radii = [radii_mm] * len(points) if isinstance(radii_mm, float | int) else radii_mm
        ends = pairwise(zip(_smooth(points), _smooth(radii), strict=True))
        return self.join([self.capsule(p, q, float(a), float(b)) for (p, a), (q, b) in ends])

    def join(self, solids: Sequence[Solid]) -> Solid:
        """All `solids` as one, in a box that holds them."""
        seen = [s for s in solids if s.distance.size]
        if not seen:
            return solids[0]
        first = np.min([[cut.start for cut in s.box] for s in seen], axis=0)
        after = np.max([[cut.stop for cut in s.box] for s in seen], axis=0)
        whole = np.full(after - first, _FAR_MM, np.float32)
        for solid in seen:
            z, y, x = (
                slice(cut.start - start, cut.stop - start)
                for cut, start in zip(solid.box, first, strict=True)
            )
            np.minimum(whole[z, y, x], solid.distance, out=whole[z, y, x])
        z, y, x = (slice(int(a), int(b)) for a, b in zip(first, after, strict=True))
        return Solid((z, y, x), whole)

    def paint(
        self, solid: Solid, hu: float | Field, *, softer: float = 1.0, strength: float = 1.0
    ) -> None:
        """Blend `hu` (a number, or a field on the solid's box) into the solid, with a soft edge.

        `strength` under 1 is what a sheet thinner than a voxel leaves of itself.
        """
        share = solid.distance * np.float32(-1 / (self.edge_mm * softer))
        share += np.float32(0.5)
        np.clip(share, 0, 1, out=share)
        if strength < 1:
            share *= np.float32(strength)
        target = self.hu[solid.box]
        change = (np.float32(hu) if isinstance(hu, float | int) else hu) - target
        change *= share
        target += change

    def on_whole(self, solid: Solid) -> Field:
        """The distance of `solid` on every voxel, far outside of its box."""
        whole = np.full(self.shape, _FAR_MM, np.float32)
        whole[solid.box] = solid.distance
        return whole


def _smooth(knots: Sequence[Triple] | Sequence[float]) -> list[Any]:
    """The knots and the points midway between them on a Catmull-Rom curve."""
    p = [np.asarray(k, np.float64) for k in knots]
    ends = [2 * p[0] - p[1], *p, 2 * p[-1] - p[-2]]
    out = [p[0]]
    for i in range(1, len(p)):
        middle = (9 * (ends[i] + ends[i + 1]) - ends[i - 1] - ends[i + 2]) / 16
        out += [middle, p[i]] if len(p) > 2 else [p[i]]
    return out


def rotation(about_x: float, about_y: float, about_z: float) -> Matrix:
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
    near = np.abs(a - b)
    near -= k
    np.minimum(near, 0, out=near)
    near *= near
    near *= np.float32(0.25 / k)
    return np.asarray(np.minimum(a, b) - near, np.float32)
