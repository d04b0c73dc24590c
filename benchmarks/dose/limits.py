"""How near the mean of a body can come in a dose that is known at its nodes only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from app.commissioning.bodies import Body, Dose, Floats, points_in
from dose.interpolation import Between

LIMIT_POINTS = 2**16


@dataclass(frozen=True, slots=True)
class DoseNodes:
    """A cube of `size` nodes along each axis, `grid_mm` apart, about `centre_mm` on each axis."""

    size: int
    grid_mm: float
    centre_mm: float

    @property
    def corner_mm(self) -> float:
        """The first node, the same on each axis."""
        return self.centre_mm - (self.size - 1) / 2.0 * self.grid_mm


def limit_of(body: Body, dose: Dose, nodes: DoseNodes, between: Between) -> float:
    """How far off the mean of the exact body is, in %, for a dose known at `nodes` only.

    Nobody who takes the dose between them so can be nearer, but by chance.
    """
    (x, y, z), _, _ = points_in(body, LIMIT_POINTS)
    at = (np.array([z, y, x]) - nodes.corner_mm) / nodes.grid_mm
    side: Floats = nodes.corner_mm + nodes.grid_mm * np.arange(nodes.size, dtype=np.float64)
    values = dose(side[None, None, :], side[None, :, None], side[:, None, None])
    values = np.broadcast_to(values, (nodes.size,) * 3)
    found = map_coordinates(values, at, order=1 if between == "linear" else 3, mode="mirror")
    exact = dose(x, y, z)
    return 100.0 * float((found - exact).mean() / exact.mean())
