"""What another contour means for the dose: both means, both DVHs, and which slices did it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from core.geometry import Mask, VolumeGeometry
from core.volume import Volume
from dose.dvh import Dvh
from dose.grid import sample_dose

BINS = 100
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DoseChange:
    """Two contours of one structure on one dose; what is covered of both, `coverage` of each.

    `slices_gy` are pairs (slice number, its part of the change of the mean in Gy): they sum to
    second minus first mean. `first_percent` and `second_percent` are the volumes that receive at
    least 0, 1, 2 ... times `bin_gy`, in percent.
    """

    first_mean_gy: float
    second_mean_gy: float
    first_coverage: float
    second_coverage: float
    slices_gy: list[tuple[int, float]]
    bin_gy: float
    first_percent: list[float]
    second_percent: list[float]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The change that `to_json` wrote."""
        slices = [(int(number), float(gray)) for number, gray in values["slices_gy"]]
        return cls(**{**values, "slices_gy": slices})


def dose_change(
    dose: Volume, first: Mask, second: Mask, geometry: VolumeGeometry
) -> DoseChange | None:
    """The change from one mask on `geometry` to another; None where the dose misses one of them.

    Let m be the first mean and V the second volume. The voxels of the first contour weigh out
    about m, so the mean changes by the sum of volume times (dose - m) / V over what was added, less
    the same over what was taken away: a slice that nobody touched has no part in it.
    """
    union = first | second
    sampled = sample_dose(dose, geometry, union)
    is_in = sampled.inside
    was, now = first[union], second[union]
    volumes = sampled.voxel_volumes_cc
    before, after = volumes * was, volumes * now
    if not before[is_in].any() or not after[is_in].any():
        return None
    gray = sampled.values_gy
    first_mean = float(np.average(gray, weights=before[is_in]))
    second_mean = float(np.average(gray, weights=after[is_in]))
    moved = (after - before)[is_in] * (gray - first_mean) / after[is_in].sum()
    of_slice = np.bincount(np.nonzero(union)[0][is_in], weights=moved)
    touched = np.flatnonzero((first != second).any(axis=(1, 2)))
    bin_gy = float(gray.max()) / BINS
    return DoseChange(
        first_mean_gy=first_mean,
        second_mean_gy=second_mean,
        first_coverage=float(before[is_in].sum() / before.sum()),
        second_coverage=float(after[is_in].sum() / after.sum()),
        slices_gy=[(int(z), float(of_slice[z])) for z in touched if z < len(of_slice)],
        bin_gy=bin_gy,
        first_percent=_curve(gray[was[is_in]], volumes[was & is_in], bin_gy),
        second_percent=_curve(gray[now[is_in]], volumes[now & is_in], bin_gy),
    )


def _curve(gray: Values, volumes_cc: Values, bin_gy: float) -> list[float]:
    dvh = Dvh.from_voxels(gray, voxel_volumes_cc=volumes_cc)
    at_least = (dvh.volume_at_dose_cc(number * bin_gy) for number in range(BINS + 1))
    return [round(100.0 * volume_cc / dvh.volume_cc, 3) for volume_cc in at_least]
