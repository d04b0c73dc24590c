"""Dose figures of one structure."""

from __future__ import annotations

from dataclasses import dataclass

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

    `dose` is in Gy on its own grid; every voxel of the mask weighs the same. Raises
    `GeometryMismatchError` where the frames of reference differ.
    """
    return figures_of(sample_dose(dose, geometry, mask), voxel_volume_cc=geometry.voxel_volume_cc())


def figures_of(sampled: SampledDose, *, voxel_volume_cc: float) -> RoiDose:
    """The figures of dose that was sampled already."""
    volume_cc = sampled.inside.size * voxel_volume_cc
    values = sampled.values_gy
    if not values.size:
        return RoiDose(volume_cc, None, None, None, sampled.coverage)
    return RoiDose(
        volume_cc=volume_cc,
        mean_gy=float(values.mean()),
        minimum_gy=float(values.min()),
        maximum_gy=float(values.max()),
        coverage=sampled.coverage,
    )
