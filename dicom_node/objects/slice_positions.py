"""Whether slices form one straight stack, and where each of them lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import IrregularSeriesError
from core.geometry import Points

# Scanners round positions to 0.01 or 0.1 mm; a tilt of half a degree shifts 2 mm slices by this
# after six of them.
_STRAIGHT_MM = 0.1
# No scanner reconstructs finer; nearer slices are the same place twice.
_DUPLICATE_MM = 0.1
# So many equal gaps in a row are a zone of another spacing; fewer are slices that were lost.
_SHORTEST_ZONE = 4
# A gap this much wider than the usual one hides a slice, whether or not it is a whole multiple.
_SURELY_MISSING = 2.5
# Planning CTs have 1 to 5 mm. Over a wider gap in an uneven series nobody can say what the
# structure does in between, and lost slices are the likelier reason.
LARGEST_UNEVEN_GAP_MM = 10.0


@dataclass(frozen=True, slots=True)
class SliceStack:
    """The slices in order of their height along the normal.

    `spacing_mm` is their distance, the mean one where `offsets_mm` (distance of each from the
    first) says that they are not evenly spaced.
    """

    order: npt.NDArray[np.intp]
    spacing_mm: float
    offsets_mm: tuple[float, ...] | None


def gap_tolerance_mm(spacing_mm: float) -> float:
    """How much a gap may differ: 1 % of the spacing, and what rounding to 0.1 mm does."""
    return 0.01 * spacing_mm + 0.05


def stack_of(positions_mm: Points, normal: Points) -> SliceStack:
    """The slices whose corners are `positions_mm` (n, 3), in order along `normal`.

    Slice Thickness is not the distance between slices (gaps, overlap) and Instance Number is not
    their order, so neither is asked.

    Raises `IrregularSeriesError` for two slices at one place, slices that do not lie straight
    above each other (gantry tilt), a missing slice, and an uneven gap of more than
    `LARGEST_UNEVEN_GAP_MM`.
    """
    heights = positions_mm @ normal
    order = np.argsort(heights, kind="stable")
    ordered = heights[order]
    _require_no_duplicate(ordered)
    _require_straight(positions_mm[order], ordered, normal)
    _require_no_gap(ordered)
    spacing_mm = float((ordered[-1] - ordered[0]) / (len(ordered) - 1))
    if _is_even(ordered, spacing_mm):
        return SliceStack(order, spacing_mm, None)
    _require_small_gaps(ordered)
    return SliceStack(order, spacing_mm, tuple((ordered - ordered[0]).tolist()))


def _require_no_duplicate(heights: Points) -> None:
    gaps = np.diff(heights)
    if gaps.min() < _DUPLICATE_MM:
        at = heights[int(gaps.argmin())]
        raise IrregularSeriesError(
            f"Two slices lie at {at:.2f} mm; expected one at each position. Send one "
            "reconstruction, without repeated slices."
        )


def _require_straight(positions_mm: Points, heights: Points, normal: Points) -> None:
    # The corner of each slice, seen along the normal.
    sideways = positions_mm - heights[:, None] * normal
    shift_mm = float(np.linalg.norm(sideways - sideways[0], axis=1).max())
    if shift_mm <= _STRAIGHT_MM:
        return
    lean, *_ = np.linalg.lstsq(
        np.column_stack([heights - heights.mean(), np.ones(len(heights))]), sideways, rcond=None
    )
    degrees = float(np.degrees(np.arctan(np.linalg.norm(lean[0]))))
    raise IrregularSeriesError(
        f"The slices are shifted sideways by up to {shift_mm:.2f} mm (gantry tilt or shear of "
        f"{degrees:.1f} degrees); expected them straight above each other. Scan or reconstruct "
        "without tilt."
    )


def _require_no_gap(heights: Points) -> None:
    gaps = np.diff(heights)
    runs = list(_runs(gaps))
    usual = [
        float(gaps[first:after].mean())
        for first, after in runs
        if after - first >= 2 or 4 * _count_like(gaps, gaps[first]) >= len(gaps)
    ]
    for number, (first, after) in enumerate(runs):
        if after - first >= _SHORTEST_ZONE or _is_edge_of_zone(gaps, runs, number):
            continue
        missing_from = [gap for gap in usual if _hides_a_slice(float(gaps[first]), gap)]
        if missing_from:
            before, behind = heights[first], heights[first + 1]
            raise IrregularSeriesError(
                f"A slice is missing between {before:.2f} and {behind:.2f} mm: slices lie "
                f"{max(missing_from):.2f} mm apart, here {behind - before:.2f} mm. Send the "
                "missing slices."
            )


def _runs(gaps: Points) -> Iterator[tuple[int, int]]:
    """(first, after last) of every stretch of equal gaps."""
    first = 0
    for i in range(1, len(gaps) + 1):
        if i == len(gaps) or abs(gaps[i] - gaps[first]) > gap_tolerance_mm(float(gaps[first])):
            yield first, i
            first = i


def _is_edge_of_zone(gaps: Points, runs: list[tuple[int, int]], number: int) -> bool:
    """Whether a zone of wider slices is next to this run: from one spacing to the other."""
    gap = float(gaps[runs[number][0]])
    beside = [runs[i] for i in (number - 1, number + 1) if 0 <= i < len(runs)]
    return any(
        after - first >= _SHORTEST_ZONE and gaps[first] >= gap - gap_tolerance_mm(gap)
        for first, after in beside
    )


def _count_like(gaps: Points, gap: float) -> int:
    return int(np.count_nonzero(np.abs(gaps - gap) <= gap_tolerance_mm(float(gap))))


def _hides_a_slice(gap: float, usual: float) -> bool:
    """Whether `gap` is room for a slice more where slices lie `usual` apart."""
    times = round(gap / usual)
    whole = times >= 2 and abs(gap - times * usual) <= gap_tolerance_mm(gap)
    return whole or gap > _SURELY_MISSING * usual


def _is_even(heights: Points, spacing_mm: float) -> bool:
    even = heights[0] + spacing_mm * np.arange(len(heights))
    allowed = gap_tolerance_mm(spacing_mm)
    return bool(
        max(np.abs(heights - even).max(), np.abs(np.diff(heights) - spacing_mm).max()) <= allowed
    )


def _require_small_gaps(heights: Points) -> None:
    gaps = np.diff(heights)
    if gaps.max() > LARGEST_UNEVEN_GAP_MM:
        raise IrregularSeriesError(
            f"Slices lie {gaps.min():.2f} to {gaps.max():.2f} mm apart; expected one distance, or "
            f"uneven ones of at most {LARGEST_UNEVEN_GAP_MM:.0f} mm. Send all slices, or "
            "reconstruct the series with even spacing."
        )
