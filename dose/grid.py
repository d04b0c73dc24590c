"""The dose at the voxels of a structure, taken from the dose grid's own geometry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import GeometryMismatchError
from core.geometry import Box, Mask, Points, VolumeGeometry, require_same_frame_of_reference
from core.volume import Volume
from dose.band import box_around
from dose.interpolation import (
    CENTRES,
    Between,
    Doses,
    Places,
    Sampler,
    general_sampler,
    parallel_sampler,
)

# Positions are written with 0.001 mm or less; a slice on the rim of the dose grid is on it.
RIM_MM = 0.01
# Axes count as parallel while they drift apart less than this over the whole box.
PARALLEL_WITHIN_VOXELS = 1e-3
_NOWHERE = (slice(0, 0), slice(0, 0), slice(0, 0))


@dataclass(frozen=True, slots=True)
class SampledDose:
    """Dose in Gy at the covered voxels of one structure.

    `inside` (n,) says for every voxel of the structure, in C order, whether the dose grid covers
    it; `values_gy` (inside.sum(),) float64 holds the dose of those it covers, in the same order,
    and `voxel_volumes_cc` (n,) the volume of each that belongs to the structure: slices may be
    unevenly spaced, voxels partly covered by the contours.
    """

    values_gy: Doses
    inside: Mask
    voxel_volumes_cc: Doses

    @property
    def coverage(self) -> float:
        """Part of the volume that the dose grid covers, 0..1; 0 for an empty mask."""
        if not self.inside.size:
            return 0.0
        covered = float(self.voxel_volumes_cc[self.inside].sum())
        return covered / (covered + float(self.voxel_volumes_cc[~self.inside].sum()))


def sample_dose(dose: Volume, geometry: VolumeGeometry, mask: Mask) -> SampledDose:
    """Dose in Gy at the voxel centres of `mask`, trilinear between the dose grid's centres.

    A voxel is covered when its centre lies within the hull of the dose voxel *centres*: beyond
    them there is nothing to interpolate. What is not covered is reported and never filled, since
    a zero there would look like a dose. Raises `GeometryMismatchError` where the frames of
    reference differ or `mask` is not on `geometry`.
    """
    if mask.shape != geometry.shape:
        raise GeometryMismatchError(
            f"The mask has shape {mask.shape}, its geometry says {geometry.shape}. "
            "Rasterise the structure on this geometry."
        )
    if not mask.any():
        return sample_parts(dose, geometry, _NOWHERE, np.empty((0, 0, 0)))
    box = box_around(mask)
    volumes_cc = geometry.voxel_volumes_cc()[box[0]]
    parts = (np.where(plane, cc, 0.0) for plane, cc in zip(mask[box], volumes_cc, strict=True))
    return sample_parts(dose, geometry, box, parts)


def sample_parts(
    dose: Volume,
    geometry: VolumeGeometry,
    box: Box,
    volumes_cc: Iterable[npt.NDArray[np.floating]],
    *,
    between: Between = "linear",
    aside: Points = CENTRES,
) -> SampledDose:
    """Dose in Gy at the voxel centres of `box` of which something belongs to a structure.

    `volumes_cc` holds for each slice of the box how much of each voxel (row, column) does; `aside`
    is how far from the centres the dose is taken, as in `Places`. Covered and refused is what
    `sample_dose` says.
    """
    require_same_frame_of_reference(dose.geometry, geometry)
    if dose.geometry.slice_offsets_mm is not None:
        raise GeometryMismatchError(
            "The planes of the dose grid are not evenly spaced; expected one distance. Calculate "
            "the dose on an even grid."
        )
    values: list[Doses] = [np.empty(0)]
    inside: list[Mask] = [np.empty(0, np.bool_)]
    volumes: list[Doses] = [np.empty(0)]
    sampler = None
    # Slice by slice: a whole-body mask on a fine CT would not fit as coordinates.
    for number, plane in enumerate(volumes_cc):
        sampler = sampler or _sampler(dose, geometry, box, between, aside)
        doses, covered = sampler(number)
        belongs = plane > 0.0
        inside.append(covered[belongs])
        values.append(doses[belongs & covered])
        volumes.append(plane[belongs].astype(np.float64))
    return SampledDose(np.concatenate(values), np.concatenate(inside), np.concatenate(volumes))


def dose_on(dose: Volume, geometry: VolumeGeometry) -> npt.NDArray[np.float32]:
    """Dose in Gy at every voxel centre of `geometry`, NaN where the dose grid does not cover it.

    Raises `GeometryMismatchError` as `sample_dose` does.
    """
    sampled = sample_dose(dose, geometry, np.ones(geometry.shape, bool))
    values = np.full(sampled.inside.shape, np.nan, np.float32)
    values[sampled.inside] = sampled.values_gy
    return values.reshape(geometry.shape)


def parallel_indices(
    dose: Volume, geometry: VolumeGeometry
) -> tuple[Points, Points, Points] | None:
    """Where each slice, row and column of `geometry` lies in the dose grid, in its indices.

    None where the axes of the two grids are not parallel.
    """
    box = _whole(geometry)
    start, steps, along = _relation(dose, geometry, box)
    if not _are_parallel(steps, along):
        return None
    slices, rows, columns = (start[i] + steps[i, i] * along[i] for i in range(3))
    return slices, rows, columns


def rims_of(grid: VolumeGeometry) -> Points:
    """How far beyond its outermost centres a dose grid still covers, in its indices."""
    return RIM_MM / np.asarray(grid.spacing_mm)


def _whole(geometry: VolumeGeometry) -> Box:
    slices, rows, columns = (slice(0, size) for size in geometry.shape)
    return slices, rows, columns


def _sampler(
    dose: Volume, geometry: VolumeGeometry, box: Box, between: Between, aside: Points
) -> Sampler:
    """The quick way where the axes of both grids are parallel, the general way otherwise."""
    start, steps, along = _relation(dose, geometry, box)
    places = Places(start, steps, along, rims_of(dose.geometry), aside)
    if _are_parallel(steps, along):
        return parallel_sampler(dose.values, places, between)
    return general_sampler(dose.values, places, between)


def _relation(
    dose: Volume, geometry: VolumeGeometry, box: Box
) -> tuple[Points, Points, tuple[Points, Points, Points]]:
    """(start, steps, along): the box's corner in dose indices, one step, how many of them.

    `steps` is one (mean) index step of `geometry`, told in indices of the dose grid; row i is of
    axis i.
    """
    steps = geometry.step_matrix_mm() @ np.linalg.inv(dose.geometry.step_matrix_mm())
    start = dose.geometry.mm_to_index(geometry.index_to_mm([side.start for side in box]))
    return start, steps, _steps_along(geometry, box)


def _are_parallel(steps: Points, along: tuple[Points, Points, Points]) -> bool:
    lengths = np.array([one[-1] + 1.0 for one in along])
    drift = np.abs(steps - np.diag(np.diag(steps))) * lengths[:, None]
    return bool(drift.max() < PARALLEL_WITHIN_VOXELS)


def _steps_along(geometry: VolumeGeometry, box: Box) -> tuple[Points, Points, Points]:
    """How many (mean) steps each slice, row and column of `box` is from its first."""
    slices, rows, columns = (np.arange(side.stop - side.start, dtype=np.float64) for side in box)
    if geometry.slice_offsets_mm is not None:
        offsets_mm = geometry.slice_positions_mm()[box[0]]
        slices = (offsets_mm - offsets_mm[0]) / geometry.spacing_mm[0]
    return slices, rows, columns
