"""A structure set as a record: ROIs and their planar contours, LPS mm."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

_DRAWN = frozenset({"heart"})


def is_drawn(roi_name: str) -> bool:
    """Whether synthetic patients have a structure; another starts from its first corrections."""
    return roi_name.casefold() in _DRAWN


@dataclass(frozen=True, slots=True)
class Contour:
    """One closed planar polygon.

    `points_mm` is (n, 3), LPS millimetres, first point not repeated. A contour may carry the
    CT instance it was drawn on, and of a multi-frame instance the frame, counted from 1.
    """

    points_mm: npt.NDArray[np.float64]
    referenced_sop_instance_uid: str | None = None
    referenced_frame_number: int | None = None


@dataclass(frozen=True, slots=True)
class Roi:
    """One structure; `interpreted_type` is ORGAN, PTV, EXTERNAL ... (PS3.3 C.8.8.8.1).

    `contours_left_out` are those that cannot be painted (points, open lines, fewer than three
    points, no numbers): not part of `contours`. `contours_damaged` are those that contradict
    themselves, left out or not: a ROI with any must not be taken for what was drawn. `findings`
    says each kind in a sentence.
    """

    roi_number: int
    roi_name: str
    contours: tuple[Contour, ...]
    interpreted_type: str = ""
    colour: tuple[int, int, int] = (255, 255, 0)
    contours_left_out: int = 0
    contours_damaged: int = 0
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StructureSet:
    """The ROIs of one RTSTRUCT that lie on one frame of reference.

    `drawn_at` is when it was made, YYYYMMDDHHMMSS by the clock of the system that made it, or "";
    `predecessor_uids` are the structure sets it says it was made from.

    `findings` says what else it held and what was odd, a sentence each; those of a single ROI
    stand there.
    """

    sop_instance_uid: str
    frame_of_reference_uid: str
    referenced_series_instance_uid: str | None
    label: str = ""
    approval_status: str = ""
    drawn_at: str = ""
    predecessor_uids: tuple[str, ...] = ()
    rois: tuple[Roi, ...] = field(default=())
    findings: tuple[str, ...] = ()

    def roi_named(self, name: str) -> Roi | None:
        """The ROI of this name; TG-263 names are matched without regard to case.

        Of several the first that has contours: a TPS may keep an empty one beside it.
        """
        wanted = name.strip().casefold()
        named = [roi for roi in self.rois if roi.roi_name.strip().casefold() == wanted]
        return next((roi for roi in named if roi.contours), named[0] if named else None)
