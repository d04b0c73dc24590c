"""Structure sets of the TPS as reference contours of a case."""

from __future__ import annotations

from typing import Any

from app.reading import structures_of
from app.room import Room
from core.case_files import reference_name
from core.errors import GeometryMismatchError
from core.geometry import Mask
from core.instance_store import STRUCTURE_SET
from core.rasterise import mask_of_contours
from core.records import Case, Instance
from core.structures import Roi, StructureSet


def join_structure_set(
    room: Room, current: Case, found: Instance
) -> tuple[str, str, dict[str, Any] | None]:
    """What a structure set is to its case: kind, the structure it is a reference of, findings.

    The mask of the first structure of the case's rule that can be painted is kept; without a rule
    of the first configured one. Raises `GeometryMismatchError` for contours drawn elsewhere.
    """
    structure_set = structures_of(room, current, found)
    _require_drawn_on(room, current, structure_set)
    findings = list(structure_set.findings)
    detail = {"findings": findings}
    for name in _wanted(room, current):
        roi = structure_set.roi_named(name)
        mask = None if roi is None else _painted(roi, current, findings)
        if mask is not None:
            kept_as = reference_name(found.id, current.assembly)
            room.store.files.write_mask(current.id, kept_as, mask)
            return STRUCTURE_SET, name, detail
    return STRUCTURE_SET, "", detail


def _wanted(room: Room, current: Case) -> tuple[str, ...]:
    if current.routing is not None:
        return current.routing.structures
    return tuple(structure.name for structure in room.settings.structures)


def _painted(roi: Roi, current: Case, findings: list[str]) -> Mask | None:
    """The mask of `roi`, None where it is not what was drawn; `findings` get the reasons."""
    findings += [f"{roi.roi_name}: {finding}" for finding in roi.findings]
    if not roi.contours or current.geometry is None:
        return None
    if roi.contours_damaged:
        findings.append(f"{roi.roi_name} has damaged contours and is not used as a reference.")
        return None
    drawn = mask_of_contours([c.points_mm for c in roi.contours], current.geometry)
    if drawn.contours_off_grid:
        findings.append(
            f"{roi.roi_name}: Contours that lie on no slice were left out: "
            f"{drawn.contours_off_grid} of {len(roi.contours)}."
        )
    if not drawn.mask.any():
        findings.append(f"{roi.roi_name} covers no voxel and is not used as a reference.")
        return None
    return drawn.mask


def _require_drawn_on(room: Room, current: Case, structure_set: StructureSet) -> None:
    """Refuse contours of another frame of reference, or of another series that we hold."""
    if structure_set.frame_of_reference_uid != current.frame_of_reference_uid:
        raise GeometryMismatchError(
            "The contours lie in another Frame of Reference than this CT. Register the series in "
            "the TPS, or export the structure set that was drawn on this CT."
        )
    series = structure_set.referenced_series_instance_uid
    other = series is not None and series != current.series_instance_uid
    if other and room.store.instances.of_series(str(series)):
        raise GeometryMismatchError(
            "The structure set was drawn on another series of this study. It joins that one."
        )
