"""Which contour of a structure set is imported, and why another one is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.returned_checks import REJECTED, has_gap
from app.writing import UNREVIEWED_LABEL
from core.errors import ImportRefusedError
from core.geometry import Mask, VolumeGeometry
from core.rasterise import mask_of_contours
from core.structures import Roi, StructureSet


@dataclass(frozen=True, slots=True)
class FoundContour:
    """A contour that may teach: the name it was found under, its mask, when it was drawn."""

    roi_name: str
    mask: Mask
    drawn_at: str


def contour_to_import(
    structure_set: StructureSet,
    names: Sequence[str],
    geometry: VolumeGeometry,
    series_instance_uid: str,
) -> FoundContour:
    """The contour under the first of `names` that is there, painted on `geometry`.

    Raises `ImportRefusedError` where it is not whole, not of this CT, or a model's own proposal.
    """
    _require_meant_for(structure_set, geometry, series_instance_uid)
    roi = _named(structure_set, names)
    if roi.contours_damaged or roi.contours_left_out:
        raise ImportRefusedError(
            f"{roi.roi_name} has contours that cannot be read; export it again from the TPS."
        )
    drawn = mask_of_contours([c.points_mm for c in roi.contours], geometry)
    if drawn.contours_off_grid:
        raise ImportRefusedError(
            f"{drawn.contours_off_grid} of {len(roi.contours)} contours of {roi.roi_name} lie on "
            "no slice of the CT; export it on the slices of the CT."
        )
    if not drawn.mask.any():
        raise ImportRefusedError(f"{roi.roi_name} holds no voxel; contour it first.")
    if has_gap(drawn.mask):
        raise ImportRefusedError(
            f"{roi.roi_name} leaves slices out in between; interpolate it in the TPS."
        )
    return FoundContour(roi.roi_name, drawn.mask, structure_set.drawn_at)


def _require_meant_for(
    structure_set: StructureSet, geometry: VolumeGeometry, series_instance_uid: str
) -> None:
    if structure_set.frame_of_reference_uid != geometry.frame_of_reference_uid:
        raise ImportRefusedError("The structure set lies in another frame of reference.")
    series = structure_set.referenced_series_instance_uid
    if series is not None and series != series_instance_uid:
        raise ImportRefusedError("The structure set was drawn on another series.")
    if structure_set.approval_status == REJECTED:
        raise ImportRefusedError("The structure set has Approval Status REJECTED.")
    if structure_set.label == UNREVIEWED_LABEL:
        raise ImportRefusedError("The structure set is a model's proposal; nobody has reviewed it.")


def _named(structure_set: StructureSet, names: Sequence[str]) -> Roi:
    for name in names:
        wanted = name.strip().casefold()
        drawn = [
            roi
            for roi in structure_set.rois
            if roi.roi_name.strip().casefold() == wanted and roi.contours
        ]
        if len(drawn) > 1:
            raise ImportRefusedError(
                f"{name} is there {len(drawn)} times; export the one that counts."
            )
        if drawn:
            return drawn[0]
    there = ", ".join(roi.roi_name for roi in structure_set.rois if roi.contours) or "nothing"
    raise ImportRefusedError(
        f"There is no contour named {' or '.join(names)}; contoured is {there}. Name it with "
        "--alias."
    )
