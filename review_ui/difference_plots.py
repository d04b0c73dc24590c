"""What a correction meant for the dose, as plots: both DVHs with what lies between, and slices."""

from __future__ import annotations

from dose.contour_change import DoseChange
from review_ui.marks import SECOND, Band, Curve, Line
from review_ui.plots import Axis, Words, plot


def dvh_plot(change: DoseChange, *, first: str, approved: str) -> str:
    """The DVHs of two contours and the band between them, as one svg element."""
    before, after = ([*enumerate(p)] for p in (change.first_percent, change.second_percent))
    curves = [[(n * change.bin_gy, v) for n, v in points] for points in (before, after)]
    lower, upper = (
        [(a[0], choose(a[1], b[1])) for a, b in zip(*curves, strict=True)] for choose in (min, max)
    )
    return plot(
        Words(
            "Dose-volume histogram", f"dashed: {first}; solid: {approved}; the band lies between"
        ),
        Axis("dose in Gy", 0.0, curves[0][-1][0] or 1.0),
        Axis("volume in %", 0.0, 100.0),
        [
            Band(lower, upper, SECOND),
            Curve(curves[1], colour=SECOND),
            Curve(curves[0], dashed=True),
        ],
    )


def slices_plot(change: DoseChange, positions_mm: list[float]) -> str:
    """How much each slice moved the mean dose, as one svg element; `positions_mm` of all slices."""
    bars = [(positions_mm[number], gray) for number, gray in change.slices_gy]
    total_gy = change.second_mean_gy - change.first_mean_gy
    y = Axis.around("change in Gy", [0.0, *(gray for _, gray in bars)])
    x = Axis.around("slice position in mm", [mm for mm, _ in bars])
    return plot(
        Words("Which slices moved the mean dose", f"together {total_gy:+.3f} Gy"),
        x,
        y,
        [
            Line((x.low, 0.0), (x.high, 0.0), "0"),
            *(Curve([(mm, 0.0), (mm, gray)], colour=SECOND) for mm, gray in bars),
        ],
    )
