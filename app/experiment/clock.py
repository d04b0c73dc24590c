"""How long the simulated physician takes, as the interactions that a review page would report.

The speeds are assumed, not measured: with them a heart by hand takes about as long as in the paper
(seven minutes in Eclipse). What a report says of time follows from them, and from how much there
was to correct.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import numpy as np
from scipy import ndimage

from app.experiment.physician import BRUSH_RADIUS_MM, Corrected
from core.geometry import Mask, VolumeGeometry

OPENING_S, APPROVING_S = 8.0, 5.0
SLICE_S = 1.3
AIMING_S = 1.2
BRUSH_MM_PER_S = 30.0
OUTLINE_MM_PER_S = 22.0
CLOSING_S = 4.0
# Between two cases: longer than what counts as work.
PAUSE = timedelta(minutes=2)
LONGEST_S = 10.0
BEYOND = 2

Done = tuple[float, str, dict[str, Any]]
"""Seconds since what was done before, what, and how."""


@dataclass
class Clock:
    """The physician's own time: it does not depend on how fast the machine is."""

    now: datetime = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)

    @classmethod
    def at(cls, told: str) -> Clock:
        """A clock that stands where an earlier one said."""
        return cls(datetime.fromisoformat(told))

    def tell(self, done: Iterator[Done]) -> list[dict[str, Any]]:
        """The interactions of one case with their times; the clock goes on to the next case."""
        told = []
        for seconds, kind, detail in done:
            pieces = max(1, ceil(seconds / LONGEST_S))  # nobody sits still for so long
            for piece in range(pieces):
                self.now += timedelta(seconds=seconds / pieces)
                last = piece == pieces - 1
                told.append(
                    {
                        "at": self.now.isoformat(),
                        "kind": kind if last else "position",
                        "detail": detail if last else {},
                    }
                )
        self.now += PAUSE
        return told


def correcting(made: Corrected, geometry: VolumeGeometry) -> Iterator[Done]:
    """Every slice seen of the structure is looked at, and two beyond its ends; the brush paints."""
    there = np.flatnonzero((made.approved | made.green).any((1, 2)))
    near = range(int(there[0]) - BEYOND, int(there[-1]) + BEYOND + 1)
    yield 0.0, "open", {}
    yield OPENING_S, "position", {}
    for k in (k for k in made.slices_seen if k in near):
        yield SLICE_S, "position", {"voxel": [float(k)]}
        for tool, painted in (("add", made.red[k]), ("remove", made.green[k])):
            yield from _strokes(painted, tool, geometry)
    yield APPROVING_S, "save", {"by": "approval"}


def drawing(made: Corrected, drawn: tuple[int, ...], geometry: VolumeGeometry) -> Iterator[Done]:
    """The outlines of the slices drawn, then a look at all of them."""
    yield 0.0, "open", {}
    yield OPENING_S, "position", {}
    for k in drawn:
        length_mm = _outline_mm(made.approved[k], geometry)
        yield SLICE_S, "position", {"voxel": [float(k)]}
        yield AIMING_S, "mouse-press", {"tool": "lasso"}
        yield CLOSING_S + length_mm / OUTLINE_MM_PER_S, "mouse-release", {}
    for k in made.slices_seen:
        yield SLICE_S, "position", {"voxel": [float(k)]}
    yield APPROVING_S, "save", {"by": "approval"}


def _strokes(painted: Mask, tool: str, geometry: VolumeGeometry) -> Iterator[Done]:
    labels, count = ndimage.label(painted)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    pixel_mm2 = geometry.spacing_mm[1] * geometry.spacing_mm[2]
    for voxels in areas:
        area_mm2 = voxels * pixel_mm2
        brush_s = area_mm2 / (2 * BRUSH_RADIUS_MM) / BRUSH_MM_PER_S
        # A large round area is encircled sooner than painted.
        lasso_s = CLOSING_S + 2 * np.sqrt(np.pi * area_mm2) / OUTLINE_MM_PER_S
        yield AIMING_S, "mouse-press", {"tool": tool}
        yield float(min(brush_s, lasso_s)), "mouse-release", {"voxels": int(voxels)}


def _outline_mm(mask: Mask, geometry: VolumeGeometry) -> float:
    """Of a round shape the staircase along the voxel edges is 4/pi of its outline."""
    padded = np.pad(mask, 1).astype(np.int8)
    across = np.count_nonzero(np.diff(padded, axis=0)) * geometry.spacing_mm[2]
    along = np.count_nonzero(np.diff(padded, axis=1)) * geometry.spacing_mm[1]
    return float(np.pi / 4 * (across + along))
