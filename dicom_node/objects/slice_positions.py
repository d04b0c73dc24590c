"""Whether slices form one even, straight stack."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.errors import IrregularSeriesError
from core.geometry import Points

# Scanners round positions to 0.01 or 0.1 mm; a tilt of half a degree shifts 2 mm slices by this
# after six of them.
_STRAIGHT_MM = 0.1
_DUPLICATE_MM = 0.01


def gap_tolerance_mm(spacing_mm: float) -> float:
    """How much a gap may differ: 1 % of the spacing, and what rounding to 0.1 mm does."""
    return 0.01 * spacing_mm + 0.05


def even_spacing_mm(positions_mm: Points, normal: Points) -> tuple[npt.NDArray[np.intp], float]:
    """The order of the slices along `normal` and their even distance in mm.

    `positions_mm` (n, 3) are the slices' corners. Slice Thickness is not the distance between
    slices (gaps, overlap) and Instance Number is not their order, so neither is asked.

    Raises `IrregularSeriesError` for two slices at one place, a missing slice, uneven gaps, and
    slices that do not lie straight above each other (gantry tilt).
    """
    heights = positions_mm @ normal
    order = np.argsort(heights, kind="stable")
    ordered = heights[order]
    gaps = np.diff(ordered)
    _require_no_duplicate(ordered, gaps)
    _require_no_gap(ordered, gaps)
    spacing_mm = float((ordered[-1] - ordered[0]) / (len(ordered) - 1))
    _require_even(ordered, spacing_mm)
    _require_straight(positions_mm[order], ordered, normal)
    return order, spacing_mm


def _require_no_duplicate(heights: Points, gaps: Points) -> None:
    if gaps.min() < _DUPLICATE_MM:
        at = heights[int(gaps.argmin())]
        raise IrregularSeriesError(
            f"Two slices lie at {at:.2f} mm; expected one at each position. Send one "
            "reconstruction, without repeated slices."
        )


def _require_no_gap(heights: Points, gaps: Points) -> None:
    usual = float(np.median(gaps))
    wide = np.flatnonzero(gaps > 1.5 * usual)
    # Many wide gaps are a series of mixed spacing, which `_require_even` tells.
    if 0 < len(wide) <= max(1, len(gaps) // 10):
        before, after = heights[wide[0]], heights[wide[0] + 1]
        raise IrregularSeriesError(
            f"A slice is missing between {before:.2f} and {after:.2f} mm: slices lie "
            f"{usual:.2f} mm apart, here {after - before:.2f} mm. Send the missing slices."
        )


def _require_even(heights: Points, spacing_mm: float) -> None:
    even = heights[0] + spacing_mm * np.arange(len(heights))
    gaps = np.diff(heights)
    allowed = gap_tolerance_mm(spacing_mm)
    if max(np.abs(heights - even).max(), np.abs(gaps - spacing_mm).max()) > allowed:
        raise IrregularSeriesError(
            f"Slices lie {gaps.min():.2f} to {gaps.max():.2f} mm apart; expected one distance. "
            "Reconstruct the series with even spacing."
        )


def _require_straight(positions_mm: Points, heights: Points, normal: Points) -> None:
    # The corner of each slice, seen along the normal.
    sideways = positions_mm - heights[:, None] * normal
    shift_mm = float(np.linalg.norm(sideways - sideways[0], axis=1).max())
    if shift_mm > _STRAIGHT_MM:
        raise IrregularSeriesError(
            f"The slices are shifted sideways by up to {shift_mm:.2f} mm (gantry tilt or shear); "
            "expected them straight above each other. Scan or reconstruct without tilt."
        )
