"""Where a body that tapers ends beyond its last contour, and what its slices then stand for."""

from __future__ import annotations

import numpy as np

from core.geometry import Points

# A body whose area runs out a little beyond the next slice, which has no contour, ends at it.
_REACH = 1.25
# A tip that nearly touches zero is one.
_TIP = 0.02
_FLAT = 1e-9


def rounded_volumes(areas: Points) -> Points:
    """The volume each slice stands for, in slice distances, of a body that `areas` (n,) are cut of.

    Slices count whole but near either end, where the areas of the last three tell by a parabola
    where the body ends: what its slab has too much or too little goes to the last slice and the
    one before, so that volume and place are right for balls, ellipsoids and cones. An end
    that does not run out before the next slice is flat: whole. So is one of less than three slices.
    """
    areas = np.asarray(areas, np.float64)
    volumes = areas.copy()
    used = np.flatnonzero(areas)
    if used.size < 3 or used[-1] - used[0] != used.size - 1:
        return volumes
    own = areas[used]
    volumes[used] = own + _at_end(own) + _at_end(own[::-1])[::-1]
    return volumes


def _at_end(areas: Points) -> Points:
    """Corrections (n,) for the upper end; u counts slices from the last one."""
    corrections = np.zeros(areas.shape)
    last, slope, bend = _parabola(areas)
    middle = float(areas[-2])
    if (end := area_runs_out(areas)) is None:
        return corrections
    area = np.polynomial.Polynomial([last, slope, bend])
    u = np.polynomial.Polynomial([0.0, 1.0])
    # Slabs are the midpoint rule; its error lies in the slopes at the ends (Euler and Maclaurin).
    at_half, slope_at_half = float(area(0.5)), slope + bend
    volume = _between(area, 0.5, end) + slope_at_half / 24.0
    moment = _between(u * area, 0.5, end) + (at_half + 0.5 * slope_at_half) / 24.0
    corrections[-1] = max(volume + moment, -0.5 * last)
    corrections[-2] = min(max(-moment, -0.5 * middle), 0.5 * middle)
    return corrections


def _parabola(areas: Points) -> tuple[float, float, float]:
    """Value, slope and bend at the last of three areas."""
    before, middle, last = (float(a) for a in areas[-3:])
    return last, (3.0 * last - 4.0 * middle + before) / 2.0, (last - 2.0 * middle + before) / 2.0


def area_runs_out(areas: Points) -> float | None:
    """How many slices beyond the last one the area runs out; None where that is not soon."""
    (last, slope, bend), middle = _parabola(areas), float(areas[-2])
    if abs(slope) + abs(bend) < _FLAT * middle:
        return None
    roots = np.roots([bend, slope, last]) if abs(bend) > _FLAT * middle else [-last / slope]
    for u in sorted(complex(root).real for root in roots):
        left = last + slope * u + bend * u * u
        if 0.0 <= u <= _REACH and abs(left) <= _TIP * middle:
            return min(1.0, u)
    return None


def _between(function: np.polynomial.Polynomial, start: float, end: float) -> float:
    whole = function.integ()
    return float(whole(end) - whole(start))
