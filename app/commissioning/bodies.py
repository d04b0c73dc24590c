"""Bodies that formulas describe, doses likewise, and the truth about them by dense integration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

Floats = npt.NDArray[np.float64]
Dose = Callable[[Floats, Floats, Floats], Floats]

CORNERS = 360  # of a contour
TRUTH_POINTS = 2**20
MOVED_MM = 1.5


@dataclass(frozen=True, slots=True)
class Body:
    """A stack of ellipses about (`x`, `y`), each `wide` times as deep as `deep`, less a hole.

    `radius` tells for a height z in mm half the width of the body there, `hole` of the hole; 0
    where there is none. `reach` is (lowest z, highest z, largest half width); `flat` says that it
    has flat faces.
    """

    x: float
    y: float
    radius: Callable[[Floats], Floats]
    reach: tuple[float, float, float]
    deep: float = 1.0
    hole: Callable[[Floats], Floats] | None = None
    flat: bool = False

    def moved(self, by_mm: Floats) -> Body:
        """The same body elsewhere; one with flat faces keeps its heights."""
        x, y, z = (float(mm) for mm in by_mm)
        if self.flat:
            return replace(self, x=self.x + x, y=self.y + y)
        bottom, top, half = self.reach
        hole = self.hole
        return replace(
            self,
            x=self.x + x,
            y=self.y + y,
            radius=lambda at: self.radius(at - z),
            reach=(bottom + z, top + z, half),
            hole=None if hole is None else lambda at: hole(at - z),
        )

    def holds(self, x: Floats, y: Floats, z: Floats) -> npt.NDArray[np.bool_]:
        """Whether positions in mm lie in the body."""
        away = np.hypot(x - self.x, (y - self.y) / self.deep)
        inside = away <= self.radius(z)
        if self.hole is None:
            return np.asarray(inside)
        return np.asarray(inside & (away > self.hole(z)))

    def contour(self, z: float) -> Floats | None:
        """The polygon (n, 3) at height `z`; a hole hangs on a keyhole. None where nothing is."""
        at = np.array([z])
        outer, inner = (
            float(self.radius(at)[0]),
            0.0 if self.hole is None else float(self.hole(at)[0]),
        )
        if outer <= 0.0:
            return None
        ring = self._ellipse(outer, z)
        if inner <= 0.0:
            return ring[:-1]
        return np.concatenate([ring, self._ellipse(inner, z)[::-1]])

    def _ellipse(self, radius: float, z: float) -> Floats:
        """Closed: the first corner comes again as the last."""
        turn = np.linspace(0.0, 2.0 * np.pi, CORNERS + 1)
        x, y = self.x + radius * np.cos(turn), self.y + radius * self.deep * np.sin(turn)
        return np.column_stack([x, y, np.full(CORNERS + 1, z)])


@dataclass(frozen=True, slots=True)
class Truth:
    """Volume in cc, mean dose in Gy and percent that receives at least `level_gy`."""

    volume_cc: float
    mean_gy: float
    percent: float
    level_gy: float


def _ball(radius: float, middle: float) -> Callable[[Floats], Floats]:
    return lambda z: np.sqrt(np.maximum(radius**2 - (z - middle) ** 2, 0.0))


# Flat faces lie half way between slices: where else, contours do not tell.
BODIES: Mapping[str, Body] = {
    "ball 5 mm": Body(11.3, -7.2, _ball(5.0, 8.37), (3.37, 13.37, 5.0)),
    "ball 20 mm": Body(9.4, 6.1, _ball(20.0, -3.61), (-23.61, 16.39, 20.0)),
    "cylinder": Body(
        4.7,
        3.3,
        lambda z: np.where(np.abs(z) < 30.0, 25.0, 0.0),
        (-30.0, 30.0, 25.0),
        flat=True,
    ),
    "cone": Body(
        -3.1,
        8.9,
        lambda z: np.where(z > -24.0, np.maximum(28.0 * (25.3 - z) / 49.3, 0.0), 0.0),
        (-24.0, 25.3, 28.0),
        flat=True,
    ),
    "heart": Body(
        6.6, -4.4, _ball(45.0, 1.27), (-43.73, 46.27, 45.0), deep=0.8, hole=_ball(17.0, 5.9)
    ),
}

DOSES: Mapping[str, tuple[Dose, float]] = {
    "linear": (lambda x, y, z: 10.0 + 0.05 * x + 0.03 * y + 0.02 * z, 10.1),
    "Gauss": (
        lambda x, y, z: 50.0 * np.exp(-((x - 60) ** 2 + (y + 40) ** 2 + z**2) / 2 / 45.0**2),
        18.0,
    ),
    # The edge of a field: from 80 to 20 % within 8 mm.
    "steep": (lambda x, y, z: 50.0 / (1.0 + np.exp((x - 12.0) / 3.0)) + 0.0 * (y + z), 25.0),
    # Within 6 mm, and askew.
    "steeper": (
        lambda x, y, z: 50.0 / (1.0 + np.exp((0.9 * x + 0.4 * y + 0.17 * z - 8.0) / 2.164)),
        25.0,
    ),
}


def moved_bodies(rng: np.random.Generator) -> dict[str, Body]:
    """Each body moved by up to `MOVED_MM` along each axis: their places are drawn, not chosen."""
    return {name: body.moved(rng.uniform(-MOVED_MM, MOVED_MM, 3)) for name, body in BODIES.items()}


def truth_of(body: Body, dose: Dose, level_gy: float) -> Truth:
    """By a million points of a Sobol sequence in the box around the body."""
    (x, y, z), box_cc, part = points_in(body, TRUTH_POINTS)
    gray = dose(x, y, z)
    percent = 100.0 * float((gray >= level_gy).mean())
    return Truth(box_cc * part, float(gray.mean()), percent, level_gy)


def points_in(body: Body, count: int) -> tuple[tuple[Floats, Floats, Floats], float, float]:
    """Positions in the body, the volume in cc of the box they were sought in, and its part."""
    bottom, top, half = body.reach
    size = np.array([2.0 * half, 2.0 * half * body.deep, top - bottom])
    low = np.array([body.x - half, body.y - half * body.deep, bottom])
    x, y, z = (low + qmc.Sobol(3, seed=7).random(count) * size).T
    inside = body.holds(x, y, z)
    return (x[inside], y[inside], z[inside]), float(size.prod() / 1000.0), float(inside.mean())
