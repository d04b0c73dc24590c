"""The dose of several beams on one grid."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from core.errors import GeometryMismatchError
from core.geometry import Mask, VolumeGeometry
from core.volume import Volume
from dose.grid import sample_dose

Box = tuple[slice, slice, slice]


def sum_of_doses(doses: Iterable[Volume]) -> Volume:
    """The sum, in Gy, on the lattice of the first: the part of it that all of them cover.

    The others are taken at its nodes, trilinear. Where one of them ends the sum is unknown and
    not smaller, so the sum ends there too. Takes one dose at a time: they may be large. Raises
    `GeometryMismatchError` where frames of reference differ, the grids have no part in common,
    or the common part is no box of the first lattice (grids that are turned against each other).
    """
    total: Volume | None = None
    for dose in doses:
        total = dose if total is None else _added(total, dose)
    if total is None:
        raise GeometryMismatchError("There is no dose to sum. Send the doses of the beams.")
    return total


def _added(total: Volume, dose: Volume) -> Volume:
    everywhere = np.ones(total.geometry.shape, np.bool_)
    sampled = sample_dose(dose, total.geometry, everywhere)
    inside = sampled.inside.reshape(total.geometry.shape)
    box = _box_of(inside)
    values = np.zeros(total.geometry.shape)
    values[inside] = sampled.values_gy
    summed = (total.values[box] + values[box]).astype(np.float32)
    return Volume(summed, _cut(total.geometry, box, summed.shape))


def _box_of(inside: Mask) -> Box:
    bounds = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        used = np.flatnonzero(inside.any(axis=others))
        if not used.size:
            raise GeometryMismatchError(
                "The dose grids of the beams have no part in common. Compute them on one grid."
            )
        bounds.append(slice(int(used[0]), int(used[-1]) + 1))
    box = (bounds[0], bounds[1], bounds[2])
    if not inside[box].all():
        raise GeometryMismatchError(
            "The dose grids of the beams are turned against each other, so what they have in "
            "common is no box. Compute them on one grid."
        )
    return box


def _cut(geometry: VolumeGeometry, box: Box, shape: tuple[int, ...]) -> VolumeGeometry:
    x, y, z = geometry.index_to_mm([side.start for side in box])
    return VolumeGeometry(
        shape=(shape[0], shape[1], shape[2]),
        origin_mm=(float(x), float(y), float(z)),
        spacing_mm=geometry.spacing_mm,
        frame_of_reference_uid=geometry.frame_of_reference_uid,
        directions=geometry.directions,
    )
