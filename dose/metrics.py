"""Dose figures of one structure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from core.geometry import Mask, VolumeGeometry
from core.volume import Volume
from dose.grid import SampledDose, sample_dose

# What the first and the last slice of a structure stand for: as much as any other, as on the review
# page, or the half of it that lies within the structure's outermost planes (ADR 0041).
EndSlices = Literal["whole", "half"]


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


def roi_dose(
    dose: Volume, mask: Mask, geometry: VolumeGeometry, *, ends: EndSlices = "whole"
) -> RoiDose:
    """Volume, mean, minimum and maximum dose of `mask`, which lies on `geometry`.

    `dose` is in Gy on its own grid; a voxel weighs what its slice stands for. A structure on one
    slice has no ends: it is whole in either case. Raises `GeometryMismatchError` where the frames
    of reference differ.
    """
    sampled = sample_dose(dose, geometry, mask)
    return figures_of(_with_half_ends(sampled, mask) if ends == "half" else sampled)


def _with_half_ends(sampled: SampledDose, mask: Mask) -> SampledDose:
    number = np.nonzero(mask)[0]
    if not number.size or number[0] == number[-1]:
        return sampled
    is_end = (number == number[0]) | (number == number[-1])
    volumes = np.where(is_end, 0.5, 1.0) * sampled.voxel_volumes_cc
    return replace(sampled, voxel_volumes_cc=volumes)


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
