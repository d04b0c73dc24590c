"""A dose grid as a screen needs it: its values, and where each CT voxel lies among them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from core.errors import GeometryMismatchError
from core.geometry import Points, VolumeGeometry, require_same_frame_of_reference
from core.resample import working_grid
from core.volume import Volume
from dose.grid import dose_on, parallel_indices, rims_of


@dataclass(frozen=True, slots=True)
class DosePicture:
    """Dose on a grid whose axes are parallel to those of a CT.

    `values` (slice, row, column) is the dose in Gy, NaN where there is none. `indices` tell for
    each slice, row and column of the CT where it lies among them: dose at a CT voxel is what lies
    linearly between its neighbours there, as far as `rims` beyond the first and the last. That is
    the dose figures are made from where `is_exact`; a grid that is turned against the CT was
    resampled.
    """

    values: npt.NDArray[np.float32]
    indices: tuple[Points, Points, Points]
    rims: Points
    is_exact: bool


def dose_picture(dose: Volume, geometry: VolumeGeometry) -> DosePicture:
    """`dose` for a CT on `geometry`: its own grid where that is parallel, resampled where not.

    Raises `GeometryMismatchError` where the frames of reference differ.
    """
    require_same_frame_of_reference(dose.geometry, geometry)
    indices = parallel_indices(dose, geometry)
    is_exact = indices is not None
    if indices is None:
        even = _with_rim(working_grid(geometry, dose.geometry.spacing_mm))
        dose = Volume(dose_on(dose, even), even)
        indices = parallel_indices(dose, geometry)
    if indices is None:  # cannot be: `even` has the axes of `geometry`
        raise GeometryMismatchError("The dose grid could not be turned to the axes of the CT.")
    return DosePicture(dose.values.astype(np.float32), indices, rims_of(dose.geometry), is_exact)


def _with_rim(grid: VolumeGeometry) -> VolumeGeometry:
    """One voxel more on every side: CT voxels at the rim lie between the centres of two."""
    slices, rows, columns = grid.shape
    x, y, z = grid.index_to_mm((-1, -1, -1))
    return replace(
        grid,
        shape=(slices + 2, rows + 2, columns + 2),
        origin_mm=(float(x), float(y), float(z)),
    )
