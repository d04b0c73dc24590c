"""Dose-volume histograms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doses = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dvh:
    """Cumulative dose-volume histogram of one structure, exact: no bins.

    `doses_gy` (n,) are the doses of its covered voxels, ascending; each voxel stands for
    `voxel_volume_cc`. What the dose grid does not cover is not part of it.
    """

    doses_gy: Doses
    voxel_volume_cc: float

    @classmethod
    def from_voxels(cls, values_gy: Doses, *, voxel_volume_cc: float) -> Dvh:
        """The DVH of voxels with the doses `values_gy` in Gy, in any order."""
        return cls(np.sort(values_gy), voxel_volume_cc)

    @property
    def volume_cc(self) -> float:
        """The whole volume, which receives at least nothing."""
        return self.doses_gy.size * self.voxel_volume_cc

    def volume_at_dose_cc(self, dose_gy: float) -> float:
        """V(dose): the volume in cc that receives at least `dose_gy`."""
        below = int(np.searchsorted(self.doses_gy, dose_gy, side="left"))
        return (self.doses_gy.size - below) * self.voxel_volume_cc

    def dose_at_volume_gy(self, percent: float) -> float | None:
        """D(percent): the highest dose in Gy that `percent` of the volume receives at least.

        None where the structure has no covered voxel. Where the curve is flat a small change of
        the contour moves this figure far; V(dose) is the steady one there.
        """
        count = self.doses_gy.size
        if not count:
            return None
        hottest = min(max(math.ceil(percent / 100.0 * count), 1), count)
        return float(self.doses_gy[count - hottest])

    def curve(self, *, bin_width_gy: float) -> tuple[Doses, Doses]:
        """(dose in Gy, volume in cc that receives at least it) every `bin_width_gy`, for a plot."""
        highest = float(self.doses_gy[-1]) if self.doses_gy.size else 0.0
        bins = np.arange(math.floor(highest / bin_width_gy) + 2, dtype=np.float64)
        dose_gy: Doses = bins * bin_width_gy
        below = np.searchsorted(self.doses_gy, dose_gy, side="left")
        at_least: Doses = (self.doses_gy.size - below) * np.float64(self.voxel_volume_cc)
        return dose_gy, at_least
