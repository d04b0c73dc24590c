"""What a correction meant for the dose, as plots: the DVH of each contour, and slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.case_store import PREDICTION, REFERENCE
from dose.contour_change import DoseChange
from review_ui.marks import DOT, SECOND, THIRD, Band, Curve, Legend, Line
from review_ui.plots import Axis, Words, plot

APPROVED = "approved"
# Told apart by colour on the screen, by dashes on paper.
_STYLES = {PREDICTION: (DOT, "7 4"), APPROVED: (SECOND, ""), REFERENCE: (THIRD, "2 3")}
_SHORT = {PREDICTION: "proposed", APPROVED: "approved", REFERENCE: "of the TPS"}


@dataclass(frozen=True, slots=True)
class Histogram:
    """The DVH of one contour, by kind and in words; `number` counts those of a kind, else 0.

    `percent` of its volume receive at least 0, 1, 2 ... times `bin_gy`; `mean_gy` is its mean.
    """

    kind: str
    words: str
    bin_gy: float
    percent: list[float]
    mean_gy: float
    number: int = 0

    @property
    def name(self) -> str:
        """What the legend calls it."""
        return f"{_SHORT[self.kind]} {self.number or ''}".rstrip()

    @property
    def style(self) -> tuple[str, str]:
        """Its colour and dashes: a dash and dots for the second of a kind, a dot more each."""
        colour, dashes = _STYLES[self.kind]
        return colour, "7 3" + " 2 3" * (self.number - 1) if self.number > 1 else dashes

    @property
    def points(self) -> list[tuple[float, float]]:
        """(dose in Gy, volume in %) of every step."""
        return [(number * self.bin_gy, volume) for number, volume in enumerate(self.percent)]


def histograms_of(
    change: DoseChange, kind: str, words: str, number: int = 0
) -> tuple[Histogram, Histogram]:
    """The contour that was held against the approved one, and the approved one."""
    return (
        Histogram(kind, words, change.bin_gy, change.first_percent, change.first_mean_gy, number),
        Histogram(APPROVED, APPROVED, change.bin_gy, change.second_percent, change.second_mean_gy),
    )


def dvh_plot(found: Sequence[Histogram]) -> str:
    """The DVHs of two or more contours as one svg element, a band between the first two."""
    first, second = found[0].points, found[1].points
    lower, upper = (
        [(a[0], choose(a[1], b[1])) for a, b in zip(first, second, strict=True)]
        for choose in (min, max)
    )
    highest_gy = max(one.points[-1][0] for one in found) or 1.0
    return plot(
        Words(
            "Dose-volume histogram",
            f"beside each its mean; the band: {found[0].words} to {found[1].words}",
        ),
        Axis("dose in Gy", 0.0, highest_gy),
        Axis("volume in %", 0.0, 100.0),
        [
            Band(lower, upper, SECOND),
            *(Curve(one.points, "", *one.style) for one in found),
            Legend([(one.name, f"{one.mean_gy:.2f} Gy", *one.style) for one in found]),
        ],
    )


def slices_plot(change: DoseChange, positions_mm: list[float], against: str) -> str:
    """How much each slice moved the mean dose, as one svg element; `positions_mm` of all slices."""
    bars = [(positions_mm[number], gray) for number, gray in change.slices_gy]
    total_gy = change.second_mean_gy - change.first_mean_gy
    y = Axis.around("change in Gy", [0.0, *(gray for _, gray in bars)])
    x = Axis.around("slice position in mm", [mm for mm, _ in bars])
    return plot(
        Words(
            "Which slices moved the mean dose", f"against {against}: together {total_gy:+.3f} Gy"
        ),
        x,
        y,
        [
            Line((x.low, 0.0), (x.high, 0.0), "0"),
            *(Curve([(mm, 0.0), (mm, gray)], colour=SECOND) for mm, gray in bars),
        ],
    )
