"""A voxel grid for a structure set whose CT is not at hand, made from the contours themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.errors import UnreadableObjectError
from core.geometry import Vector, VolumeGeometry
from core.structures import Contour, StructureSet

# Fine enough for a mean dose; small structures get at least this many voxels across.
IN_PLANE_MM = 1.0
VOXELS_ACROSS = 50
FINEST_MM = 0.2
# Contours of one image may differ by rounding.
SAME_PLANE_MM = 0.1
EVEN_WITHIN_MM = 0.1


def grid_around(contours: Sequence[Contour], structure_set: StructureSet) -> VolumeGeometry:
    """The canonical grid of about 1 mm in plane whose slices are the planes of `contours`.

    Slice spacing is the distance of neighbouring contours, and of all contours in
    `structure_set` where these lie on a single plane; each contour stands for one such slice.
    Raises `UnreadableObjectError` where the contours are not axial, not evenly spaced or alone:
    their thickness then is the CT's to tell.
    """
    planes_mm = _planes_mm(contours)
    everything = [contour for roi in structure_set.rois for contour in roi.contours]
    spacing_mm = _spacing_mm(planes_mm) or _spacing_mm(_planes_mm(everything, skip_tilted=True))
    if spacing_mm is None:
        raise UnreadableObjectError(
            "All contours lie on one plane, which has no thickness; give the CT they were drawn on."
        )
    steps = (planes_mm - planes_mm[0]) / spacing_mm
    if np.abs(steps - np.rint(steps)).max() * spacing_mm > EVEN_WITHIN_MM:
        raise UnreadableObjectError(
            f"Contours are not evenly spaced by {spacing_mm:.2f} mm; give the CT they were drawn "
            "on."
        )
    corners_mm = np.concatenate([contour.points_mm[:, :2] for contour in contours])
    return _grid(corners_mm, planes_mm, spacing_mm, structure_set.frame_of_reference_uid)


def _planes_mm(
    contours: Sequence[Contour], *, skip_tilted: bool = False
) -> npt.NDArray[np.float64]:
    """Feet-head positions of the contours, ascending, one for each plane."""
    flat = [c for c in contours if np.ptp(c.points_mm[:, 2]) <= SAME_PLANE_MM]
    if len(flat) < len(contours) and not skip_tilted:
        raise UnreadableObjectError("Contours are not axial; give the CT they were drawn on.")
    positions = np.sort([float(c.points_mm[:, 2].mean()) for c in flat])
    new_plane = np.diff(positions, prepend=-np.inf) > SAME_PLANE_MM
    return positions[new_plane]


def _spacing_mm(planes_mm: npt.NDArray[np.float64]) -> float | None:
    """The most common distance of neighbouring planes; wider ones are slices left out."""
    if len(planes_mm) < 2:
        return None
    gaps = np.diff(planes_mm)
    rounded, counts = np.unique(np.round(gaps, 1), return_counts=True)
    common = gaps[np.round(gaps, 1) == rounded[counts.argmax()]]
    return float(common.mean())


def _grid(
    corners_mm: npt.NDArray[np.float64],
    planes_mm: npt.NDArray[np.float64],
    spacing_mm: float,
    frame_of_reference_uid: str,
) -> VolumeGeometry:
    low, high = corners_mm.min(axis=0), corners_mm.max(axis=0)
    in_plane_mm = min(IN_PLANE_MM, max(float((high - low).min()) / VOXELS_ACROSS, FINEST_MM))
    columns, rows = (np.ceil((high - low) / in_plane_mm).astype(int) + 2).tolist()
    slices = round(float(planes_mm[-1] - planes_mm[0]) / spacing_mm) + 1
    # Half a voxel beside the contour, so that straight edges do not run through voxel centres.
    origin: Vector = (
        float(low[0]) - 0.5 * in_plane_mm,
        float(low[1]) - 0.5 * in_plane_mm,
        float(planes_mm[0]),
    )
    return VolumeGeometry(
        shape=(slices, rows, columns),
        origin_mm=origin,
        spacing_mm=(spacing_mm, in_plane_mm, in_plane_mm),
        frame_of_reference_uid=frame_of_reference_uid,
    )
