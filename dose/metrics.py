"""Dose figures of one structure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.geometry import Mask, VolumeGeometry
from core.volume import Volume
from dose.grid import SampledDose, sample_dose


@dataclass(frozen=True, slots=True)
class RoiDose:
    """Volume in cc and dose in Gy of one structure.

    `coverage` is the part of the volume, 0..1, that the dose grid covers. The dose figures are of
    that part alone, and None where it is nothing; `volume_cc` is of the whole structure.
    """

    volume_cc: float
    mean_gy: float | None
    minimum_gy: float | None
    maximum_gy: float | None
    coverage: float


def roi_dose(dose: Volume, mask: Mask, geometry: VolumeGeometry) -> RoiDose:
    """Volume, mean, minimum and maximum dose of `mask`, which lies on `geometry`.

    `dose` is in Gy on its own grid; every voxel counts whole and weighs what its slice stands for.
    Raises `GeometryMismatchError` where the frames of reference differ.
    """
    return figures_of(sample_dose(dose, geometry, mask))


def figures_of(sampled: SampledDose) -> RoiDose:
    """The figures of dose that was sampled already."""
    volume_cc = float(sampled.voxel_volumes_cc.sum())
    values = sampled.values_gy
    if not values.size:
        return RoiDose(volume_cc, None, None, None, sampled.coverage)
    weights = sampled.voxel_volumes_cc[sampled.inside]
    return RoiDose(
        volume_cc=volume_cc,
        mean_gy=float(np.average(values, weights=weights)),
        minimum_gy=float(values.min()),
        maximum_gy=float(values.max()),
        coverage=sampled.coverage,
    )
