"""Dose-volume histograms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doses = npt.NDArray[np.float64]
# Sums of volumes differ in their last digits; a voxel that is just reached counts.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Dvh:
    """Cumulative dose-volume histogram of one structure, exact: no bins.

    `doses_gy` (n,) are the doses of its covered voxels, ascending; `at_least_cc` (n,) is the volume
    that receives at least that dose. What the dose grid does not cover is not part of it.
    """

    doses_gy: Doses
    at_least_cc: Doses

    @classmethod
    def from_voxels(cls, values_gy: Doses, *, voxel_volumes_cc: npt.ArrayLike) -> Dvh:
        """The DVH of voxels with the doses `values_gy` in Gy, in any order.

        `voxel_volumes_cc` is the volume of each, or of every one.
        """
        order = np.argsort(values_gy, kind="stable")
        volumes = np.broadcast_to(np.asarray(voxel_volumes_cc, np.float64), values_gy.shape)[order]
        return cls(values_gy[order], np.cumsum(volumes[::-1])[::-1])

    @property
    def volume_cc(self) -> float:
        """The whole volume, which receives at least nothing."""
        return float(self.at_least_cc[0]) if self.at_least_cc.size else 0.0

    def volume_at_dose_cc(self, dose_gy: float) -> float:
        """V(dose): the volume in cc that receives at least `dose_gy`."""
        below = int(np.searchsorted(self.doses_gy, dose_gy, side="left"))
        return float(self.at_least_cc[below]) if below < self.at_least_cc.size else 0.0

    def dose_at_volume_gy(self, percent: float) -> float | None:
        """D(percent): the highest dose in Gy that `percent` of the volume receives at least.

        None where the structure has no covered voxel. Where the curve is flat a small change of
        the contour moves this figure far; V(dose) is the steady one there.
        """
        if not self.doses_gy.size:
            return None
        wanted_cc = percent / 100.0 * self.volume_cc * (1.0 - _ROUNDING)
        enough = np.flatnonzero(self.at_least_cc >= wanted_cc)
        return float(self.doses_gy[enough[-1] if enough.size else 0])

    def curve(self, *, bin_width_gy: float) -> tuple[Doses, Doses]:
        """(dose in Gy, volume in cc that receives at least it) every `bin_width_gy`, for a plot."""
        highest = float(self.doses_gy[-1]) if self.doses_gy.size else 0.0
        bins = np.arange(math.floor(highest / bin_width_gy) + 2, dtype=np.float64)
        dose_gy: Doses = bins * bin_width_gy
        below = np.searchsorted(self.doses_gy, dose_gy, side="left")
        at_least: Doses = np.append(self.at_least_cc, 0.0)[below]
        return dose_gy, at_least
