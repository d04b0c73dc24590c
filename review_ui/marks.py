"""What is drawn within the axes of a plot: dots, lines, curves, bands, bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from review_ui.plots import INK, PAPER, QUIET, Axis, place, text_at

RADIUS = 4.5
DOT, SECOND = "var(--plot-first, #1f5f8f)", "var(--plot-second, #b5541c)"
THIRD = "var(--plot-third, #2c7a4b)"
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Dot:
    """One case; `name` is shown under the pointer. Hollow: not to be counted like the others."""

    x: float
    y: float
    name: str
    hollow: bool = False
    colour: str = DOT
    radius: float = RADIUS

    def drawn(self, x: Axis, y: Axis) -> str:
        """It as SVG elements."""
        across, down = place(x, y, (self.x, self.y))
        fill = PAPER if self.hollow else self.colour
        return (
            f'<circle cx="{across:.1f}" cy="{down:.1f}" r="{self.radius}" fill="{fill}" '
            f'stroke="{self.colour}" stroke-width="1.5"><title>{escape(self.name)}</title></circle>'
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A straight dashed line for the eye, with words beyond its right end."""

    start: tuple[float, float]
    end: tuple[float, float]
    words: str = ""

    def drawn(self, x: Axis, y: Axis) -> str:
        """It as SVG elements."""
        (x1, y1), (x2, y2) = place(x, y, self.start), place(x, y, self.end)
        drawn = (
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{QUIET}" '
            'stroke-dasharray="5 4"/>'
        )
        return drawn + (text_at(x2 + 7, y2 + 4, self.words) if self.words else "")


@dataclass(frozen=True, slots=True)
class Curve:
    """Points joined in their order, with words beyond the last; `dashes` as SVG has them."""

    points: Points
    words: str = ""
    colour: str = DOT
    dashes: str = ""

    def drawn(self, x: Axis, y: Axis) -> str:
        """It as SVG elements."""
        drawn = (
            f'<polyline points="{_joined(x, y, self.points)}" fill="none" '
            f'stroke="{self.colour}" stroke-width="2"{_dashed(self.dashes)}/>'
        )
        if not self.words or not self.points:
            return drawn
        across, down = place(x, y, self.points[-1])
        return drawn + text_at(across + 7, down + 4, self.words, colour=self.colour)


@dataclass(frozen=True, slots=True)
class Legend:
    """What each curve is, right of the axes: (name, what is said below it, colour, dashes)."""

    entries: Sequence[tuple[str, str, str, str]]

    def drawn(self, x: Axis, y: Axis) -> str:
        """It as SVG elements."""
        across, top = place(x, y, (x.high, y.high))
        drawn = []
        for number, (name, below, colour, dashes) in enumerate(self.entries):
            down = top + 8.0 + 40.0 * number
            drawn.append(
                f'<line x1="{across + 8:.1f}" y1="{down:.1f}" x2="{across + 36:.1f}" '
                f'y2="{down:.1f}" stroke="{colour}" stroke-width="2"{_dashed(dashes)}/>'
                + text_at(across + 42, down + 4, name, colour=INK)
                + text_at(across + 42, down + 19, below)
            )
        return "".join(drawn)


@dataclass(frozen=True, slots=True)
class Band:
    """What lies between a lower and an upper curve."""

    lower: Points
    upper: Points
    colour: str = DOT

    def drawn(self, x: Axis, y: Axis) -> str:
        """It as SVG elements."""
        around = _joined(x, y, [*self.lower, *reversed(self.upper)])
        return f'<polygon points="{around}" fill="{self.colour}" fill-opacity="0.15"/>'


@dataclass(frozen=True, slots=True)
class Bar:
    """From the bottom of the plot to `top`, with words above it."""

    middle: float
    width: float
    top: float
    words: str = ""
    colour: str = DOT

    def drawn(self, x: Axis, y: Axis) -> str:
        """It as SVG elements."""
        left, up = place(x, y, (self.middle - self.width / 2, self.top))
        right, down = place(x, y, (self.middle + self.width / 2, y.low))
        drawn = (
            f'<rect x="{left:.1f}" y="{up:.1f}" width="{right - left:.1f}" '
            f'height="{down - up:.1f}" fill="{self.colour}"/>'
        )
        return drawn + text_at((left + right) / 2, up - 6, self.words, anchor="middle")


def _dashed(dashes: str) -> str:
    return f' stroke-dasharray="{dashes}"' if dashes else ""


def _joined(x: Axis, y: Axis, points: Points) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(x, y, point) for point in points))
