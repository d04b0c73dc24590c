"""Dose-volume histograms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dose.grid import SampledDose
from dose.steps import STEPS, steps_of

Doses = npt.NDArray[np.float64]
# Sums of volumes differ in their last digits; a voxel that is just reached counts.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Dvh:
    """Cumulative dose-volume histogram of one structure: a step for each voxel, no bins.

    `doses_gy` (n,) are the doses of its covered voxels, ascending; `at_least_cc` (n,) is the volume
    that receives at least that dose. Of very many voxels those whose doses differ by less than a
    65,536th of the range are one step at their common mean, if they are no more than a thousandth
    of the volume: lowest, highest and mean dose stay as they are. What the dose grid does not cover
    is not part of it.
    """

    doses_gy: Doses
    at_least_cc: Doses

    @classmethod
    def from_voxels(cls, values_gy: Doses, *, voxel_volumes_cc: npt.ArrayLike) -> Dvh:
        """The DVH of voxels with the doses `values_gy` in Gy, in any order.

        `voxel_volumes_cc` is the volume of each, or of every one.
        """
        volumes = np.broadcast_to(np.asarray(voxel_volumes_cc, np.float64), values_gy.shape)
        if values_gy.size > STEPS:
            values_gy, volumes = steps_of(values_gy, volumes)
        else:
            order = np.argsort(values_gy)
            values_gy, volumes = values_gy[order], volumes[order]
        return cls(values_gy, np.cumsum(volumes[::-1])[::-1])

    @classmethod
    def of(cls, sampled: SampledDose) -> Dvh:
        """The DVH of what the dose grid covers of a structure, each voxel with its own weight."""
        weights = sampled.voxel_volumes_cc[sampled.inside]
        return cls.from_voxels(sampled.values_gy, voxel_volumes_cc=weights)

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
        return self.dose_at_volume_cc_gy(percent / 100.0 * self.volume_cc)

    def dose_at_volume_cc_gy(self, wanted_cc: float) -> float | None:
        """D(cc): the highest dose in Gy that `wanted_cc` receive at least.

        None where less than that is covered.
        """
        if not self.doses_gy.size or wanted_cc > self.volume_cc * (1.0 + _ROUNDING):
            return None
        # From the highest dose downwards the volume grows.
        above = int(
            np.searchsorted(self.at_least_cc[::-1], wanted_cc * (1.0 - _ROUNDING), side="left")
        )
        return float(self.doses_gy[max(self.doses_gy.size - 1 - above, 0)])

    def mean_gy(self) -> float | None:
        """The mean dose in Gy; None where nothing is covered."""
        return self.generalised_eud_gy(1.0)

    def generalised_eud_gy(self, a: float) -> float | None:
        """The uniform dose of the same effect: (mean of dose ** a) ** (1 / a), `a` not 0.

        1 is the mean; large values go to the maximum (serial organs), negative ones to the minimum
        (targets). None where nothing is covered.
        """
        if not self.doses_gy.size:
            return None
        highest = float(self.doses_gy[-1])
        if highest <= 0.0 or (a < 0.0 and self.doses_gy[0] <= 0.0):
            return 0.0
        # Relative to one of the doses: powers of plain doses overflow.
        unit = highest if a > 0.0 else float(self.doses_gy[0])
        share = self._volumes_cc() / self.volume_cc
        return unit * math.pow(float(np.sum(share * (self.doses_gy / unit) ** a)), 1.0 / a)

    def _volumes_cc(self) -> Doses:
        """The volume of each voxel."""
        return np.asarray(self.at_least_cc - np.append(self.at_least_cc[1:], 0.0), np.float64)

    def differential(self, *, bin_width_gy: float) -> tuple[Doses, Doses]:
        """(lower end in Gy, volume in cc that receives so much) of every bin of `bin_width_gy`."""
        dose_gy, at_least = self.curve(bin_width_gy=bin_width_gy)
        return dose_gy[:-1], at_least[:-1] - at_least[1:]

    def curve(self, *, bin_width_gy: float) -> tuple[Doses, Doses]:
        """(dose in Gy, volume in cc that receives at least it) every `bin_width_gy`, for a plot."""
        highest = float(self.doses_gy[-1]) if self.doses_gy.size else 0.0
        bins = np.arange(math.floor(highest / bin_width_gy) + 2, dtype=np.float64)
        dose_gy: Doses = bins * bin_width_gy
        below = np.searchsorted(self.doses_gy, dose_gy, side="left")
        at_least: Doses = np.append(self.at_least_cc, 0.0)[below]
        return dose_gy, at_least
