"""Plots as SVG: self-contained text, nothing to install and nothing to fetch.

What is drawn within the axes lies in review_ui/marks.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 124, 58, 54
# A page of another background sets these; a plot by itself is dark on white.
INK, QUIET = "var(--plot-ink, #1d242b)", "var(--plot-quiet, #5b6670)"
GRID, PAPER = "var(--plot-grid, #e3e7eb)", "var(--plot-paper, #fff)"

_OPENING = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
    f'width="{WIDTH}" role="img" font-family="system-ui, sans-serif" font-size="12">'
)


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows and from where to where; `names` stand instead of round numbers."""

    words: str
    low: float
    high: float
    names: tuple[tuple[float, str], ...] = ()

    @classmethod
    def around(cls, words: str, values: Iterable[float]) -> Axis:
        """An axis that holds `values` with a little room; it has some length in any case."""
        found = [v for v in values if math.isfinite(v)] or [0.0]
        low, high = min(found), max(found)
        room = 0.08 * (high - low) or max(abs(high), 1.0) * 0.1
        return cls(words, low - room, high + room)

    def marked(self) -> Sequence[tuple[float, str]]:
        """Where it is marked, and with what."""
        return self.names or [(value, f"{value:g}") for value in self.ticks()]

    def ticks(self) -> list[float]:
        """Round numbers along it, four to nine."""
        length = self.high - self.low
        unit = 10.0 ** math.floor(math.log10(length / 8.0))
        step = next(s * unit for s in (1.0, 2.0, 5.0, 10.0) if length / (s * unit) <= 8.0)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def share(self, value: float) -> float:
        """How far along the axis `value` lies, 0..1 within it."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Words:
    """Title of a plot, and under it a sentence that must be read with it."""

    title: str
    below: str


class Mark(Protocol):
    """Something within the axes, like a dot or a curve."""

    def drawn(self, x: Axis, y: Axis) -> str:
        """It as SVG elements."""


def plot(heading: Words, x: Axis, y: Axis, marks: Sequence[Mark]) -> str:
    """The plot as one svg element, its marks above one another in their order."""
    parts = [
        _OPENING,
        f"<title>{escape(heading.title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
        text_at(LEFT, 22, heading.title, size=15, colour=INK, weight=600),
        text_at(LEFT, 42, heading.below),
        *(_x_tick(x, value, words) for value, words in x.marked()),
        *(_y_tick(y, value, words) for value, words in y.marked()),
        text_at((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x.words, anchor="middle"),
        _turned(16, (TOP + HEIGHT - BOTTOM) / 2, y.words),
        *(mark.drawn(x, y) for mark in marks),
        "</svg>",
    ]
    return "\n".join(parts)


def place(x: Axis, y: Axis, point: tuple[float, float]) -> tuple[float, float]:
    """Where a point is drawn; what leaves an axis is drawn at its end."""
    across, up = (min(max(a.share(v), 0.0), 1.0) for a, v in zip((x, y), point, strict=True))
    return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def _x_tick(x: Axis, value: float, words: str) -> str:
    across = LEFT + x.share(value) * (WIDTH - LEFT - RIGHT)
    return (
        f'<line x1="{across:.1f}" y1="{TOP}" x2="{across:.1f}" y2="{HEIGHT - BOTTOM}" '
        f'stroke="{GRID}"/>' + text_at(across, HEIGHT - BOTTOM + 17, words, anchor="middle")
    )


def _y_tick(y: Axis, value: float, words: str) -> str:
    down = HEIGHT - BOTTOM - y.share(value) * (HEIGHT - TOP - BOTTOM)
    return (
        f'<line x1="{LEFT}" y1="{down:.1f}" x2="{WIDTH - RIGHT}" y2="{down:.1f}" '
        f'stroke="{GRID}"/>' + text_at(LEFT - 7, down + 4, words, anchor="end")
    )


def text_at(  # noqa: PLR0913 (one argument an attribute)
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    size: int = 12,
    colour: str = QUIET,
    weight: int = 400,
) -> str:
    """Words that begin, end or have their middle at a place of the drawing."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}" font-weight="{weight}">{escape(words)}</text>'
    )


def _turned(x: float, y: float, words: str) -> str:
    return (
        f'<text transform="translate({x:.1f} {y:.1f}) rotate(-90)" text-anchor="middle" '
        f'fill="{QUIET}">{escape(words)}</text>'
    )
