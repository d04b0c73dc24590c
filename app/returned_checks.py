"""What speaks against taking a structure that came back for a correction of what was sent.

Learning from a wrong contour is harm that nobody sees; not learning from a right one costs a
little. So whatever is odd is told and not learned from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from core.geometry import Mask
from core.rasterise import RasterisedRoi
from core.structures import Roi, StructureSet

LEAST_DICE = 0.5
"""What agrees less with what was sent is another structure rather than an edit of it."""

REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Brought:
    """One structure as it came back in `structure_set`, beside the mask that was sent.

    `same_patient`: the object carries the Patient ID of the case. `made_from_ours`: its UIDs say
    that it goes back to what was sent. `approved_at` is local time, as DICOM writes it; `images`
    are the SOP Instance UIDs of the CT, on which `drawn` was painted.
    """

    structure_set: StructureSet
    roi: Roi
    drawn: RasterisedRoi
    sent: Mask
    dice: float
    images: frozenset[str]
    series_instance_uid: str
    same_patient: bool
    made_from_ours: bool
    approved_at: datetime


def defect(brought: Brought) -> str:
    """Why the mask is not what somebody drew on this CT; empty where it is."""
    return next(_defects(brought), "")


def doubt(brought: Brought) -> str:
    """Why what was drawn must not be learned from, even if the rule allows it; empty: it may."""
    return next(_doubts(brought), "")


def _defects(brought: Brought) -> Iterator[str]:
    roi, drawn = brought.roi, brought.drawn
    if roi.contours_damaged or roi.contours_left_out:
        yield "with contours that cannot be read; export it again from the TPS."
    if not roi.contours:
        yield "without contours; nothing is learned from it."
    if {c.referenced_sop_instance_uid for c in roi.contours} - brought.images - {None}:
        yield "drawn on images that are not of this CT; export it on the CT it was sent for."
    if drawn.contours_off_grid:
        yield (
            f"with {drawn.contours_off_grid} of {len(roi.contours)} contours on no slice of the "
            "CT; export it on the slices of the CT."
        )
    if not drawn.mask.any():
        yield "with contours that hold no voxel; nothing is learned from it."
    if has_gap(drawn.mask) and not has_gap(brought.sent):
        yield "with slices left out in between; interpolate it in the TPS and export it again."
    name = roi.roi_name.strip().casefold()
    twins = [r for r in brought.structure_set.rois if r.roi_name.strip().casefold() == name]
    if sum(1 for twin in twins if twin.contours) > 1:
        yield "twice in one structure set; export the one that counts."


def _doubts(brought: Brought) -> Iterator[str]:
    told = brought.structure_set
    if not brought.same_patient:
        yield "without the Patient ID of this case; it is not learned from."
    if told.referenced_series_instance_uid != brought.series_instance_uid:
        yield "without saying that it was drawn on this CT series; it is not learned from."
    if told.approval_status == REJECTED:
        yield "with Approval Status REJECTED; it is not learned from."
    # Some systems write the date of the study: UIDs that say where it comes from count for more.
    older = told.drawn_at and told.drawn_at < brought.approved_at.strftime("%Y%m%d%H%M%S")
    if older and not brought.made_from_ours:
        yield "in a structure set dated before what was sent; it is not learned from."
    if brought.dice < LEAST_DICE:
        yield (
            f"with a Dice of {brought.dice:.2f} to what was sent, where an edit has at least "
            f"{LEAST_DICE}; it is not learned from. Compare both in the TPS."
        )


def has_gap(mask: Mask) -> bool:
    """Whether an empty slice lies between two that are not."""
    used = np.flatnonzero(mask.any(axis=(1, 2)))
    return len(used) > 0 and bool(np.ptp(used) + 1 != len(used))
