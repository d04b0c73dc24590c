"""How far the mean dose could still move: leverage of voxels, and a bound on all further changes.

The bound is proven in ADR 0039. In short: with the voxels beyond `within_mm` of the boundary fixed,
the mean is a ratio of two sums over the free ones, and such a ratio is largest where exactly the
voxels with more dose than that largest mean are inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.geometry import Mask, VolumeGeometry
from core.volume import Volume
from dose.band import boundary_band
from dose.grid import sample_dose
from dose.interpolation import Doses


@dataclass(frozen=True, slots=True)
class StopHere:
    """Between which limits the mean dose stays, in Gy, however the contour changes near its edge.

    `lowest_gy` and `highest_gy` are means that some change reaches and none passes. `to_lowest_gy`
    and `to_highest_gy` (slices,) say how much of the way each slice makes; each sums to the
    distance from `mean_gy`. The dose of `uncovered_cc` of the free voxels is unknown: they are
    part of no mean.
    """

    mean_gy: float
    lowest_gy: float
    highest_gy: float
    to_lowest_gy: Doses
    to_highest_gy: Doses
    uncovered_cc: float

    @property
    def largest_change_gy(self) -> float:
        """The most that the mean can move, up or down."""
        return max(self.highest_gy - self.mean_gy, self.mean_gy - self.lowest_gy)

    @property
    def slice_ranking(self) -> list[int]:
        """Slices in which a contour error would move the mean, the most first."""
        both = self.to_lowest_gy + self.to_highest_gy
        order = np.argsort(-both, kind="stable")
        return [int(number) for number in order if both[number] > 0.0]


def stop_here(
    dose: Volume, mask: Mask, geometry: VolumeGeometry, *, within_mm: float
) -> StopHere | None:
    """What changes confined to `within_mm` of the boundary of `mask` can make of its mean dose.

    Every voxel whose centre lies that near to the boundary may be in or out, in any combination
    and in part; all others stay. None where no voxel of `mask` has a dose.
    """
    free = boundary_band(mask, geometry, within_mm=within_mm)
    looked_at = mask | free
    sampled = sample_dose(dose, geometry, looked_at)
    covered = sampled.inside
    volumes, gray = sampled.voxel_volumes_cc[covered], sampled.values_gy
    is_in, is_free = mask[looked_at][covered], free[looked_at][covered]
    volume = float(volumes[is_in].sum())
    if volume == 0.0:
        return None
    core = is_in & ~is_free
    fixed = (float(volumes[core] @ gray[core]), float(volumes[core].sum()))
    lowest, highest = extreme_means(fixed, gray[is_free], volumes[is_free])
    # Outside voxels move the mean by coming in, inside ones by going out: the other way round.
    way = np.where(is_in, -volumes, volumes)[is_free] / volume
    number = np.nonzero(looked_at)[0][covered][is_free]

    def by_slice(moves: Doses) -> Doses:
        shares = np.bincount(number, np.maximum(moves, 0.0), minlength=geometry.shape[0])
        return np.asarray(shares, np.float64)

    uncovered = sampled.voxel_volumes_cc[free[looked_at] & ~covered]
    return StopHere(
        mean_gy=float(volumes[is_in] @ gray[is_in]) / volume,
        lowest_gy=lowest,
        highest_gy=highest,
        to_lowest_gy=by_slice(way * (lowest - gray[is_free])),
        to_highest_gy=by_slice(way * (gray[is_free] - highest)),
        uncovered_cc=float(uncovered.sum()),
    )


def extreme_means(
    fixed: tuple[float, float], doses_gy: Doses, volumes_cc: Doses
) -> tuple[float, float]:
    """The lowest and the highest mean in Gy of voxels that are fixed and any choice of free ones.

    `fixed` is dose times volume and volume of those that are always in. Exact: the best choice
    takes the free voxels from one end of their order by dose, so each beginning of it is tried.
    """
    order = np.argsort(doses_gy, kind="stable")
    means = []
    for one in (order, order[::-1]):
        volume = fixed[1] + np.r_[0.0, np.cumsum(volumes_cc[one])]
        total = fixed[0] + np.r_[0.0, np.cumsum((doses_gy * volumes_cc)[one])]
        means.append(total[volume > 0.0] / volume[volume > 0.0])
    return float(means[0].min()), float(means[1].max())


def leverage_gy(
    doses_gy: Doses, volumes_cc: Doses, *, inside: Mask, mean_gy: float, volume_cc: float
) -> npt.NDArray[np.float64]:
    """How the mean in Gy moves when one voxel changes sides, for each alone.

    A structure of that one voxel alone has no mean without it: NaN.
    """
    sign = np.where(inside, -1.0, 1.0)
    left = volume_cc + sign * volumes_cc
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = sign * volumes_cc * (doses_gy - mean_gy) / left
    return np.where(left > 1e-9 * volume_cc, moved, np.nan)
