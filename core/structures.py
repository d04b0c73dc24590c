"""A structure set as a record: ROIs and their planar contours, LPS mm."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Contour:
    """One closed planar polygon.

    `points_mm` is (n, 3), LPS millimetres, first point not repeated. A contour may carry the
    CT instance it was drawn on.
    """

    points_mm: npt.NDArray[np.float64]
    referenced_sop_instance_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Roi:
    """One structure; `interpreted_type` is ORGAN, PTV, EXTERNAL ... (PS3.3 C.8.8.8.1).

    `contours_left_out` are points, open lines and contours without area: not part of `contours`.
    """

    roi_number: int
    roi_name: str
    contours: tuple[Contour, ...]
    interpreted_type: str = ""
    colour: tuple[int, int, int] = (255, 255, 0)
    contours_left_out: int = 0


@dataclass(frozen=True, slots=True)
class StructureSet:
    """All ROIs of one RTSTRUCT, on one frame of reference."""

    sop_instance_uid: str
    frame_of_reference_uid: str
    referenced_series_instance_uid: str | None
    label: str = ""
    approval_status: str = ""
    rois: tuple[Roi, ...] = field(default=())

    def roi_named(self, name: str) -> Roi | None:
        """The first ROI of this name; TG-263 names are matched without regard to case."""
        wanted = name.strip().casefold()
        return next((roi for roi in self.rois if roi.roi_name.strip().casefold() == wanted), None)
