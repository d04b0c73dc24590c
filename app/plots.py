"""Scatter plots as SVG: self-contained text, nothing to install and nothing to fetch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 124, 58, 54
RADIUS = 4.5
_INK, _QUIET, _GRID, _DOT = "#1d242b", "#5b6670", "#e3e7eb", "#1f5f8f"
_STYLE = "font-family:system-ui,sans-serif;font-size:12px"

_OPENING = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
    f'width="{WIDTH}" role="img" style="{_STYLE}">'
)


@dataclass(frozen=True, slots=True)
class Dot:
    """One case; `name` is shown under the pointer. Hollow: not to be counted like the others."""

    x: float
    y: float
    name: str
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line for the eye, with words beyond its right end."""

    start: tuple[float, float]
    end: tuple[float, float]
    words: str = ""
    dashed: bool = True


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows and from where to where."""

    words: str
    low: float
    high: float

    @classmethod
    def around(cls, words: str, values: Iterable[float]) -> Axis:
        """An axis that holds `values` with a little room; it has some length in any case."""
        found = [v for v in values if math.isfinite(v)] or [0.0]
        low, high = min(found), max(found)
        room = 0.08 * (high - low) or max(abs(high), 1.0) * 0.1
        return cls(words, low - room, high + room)

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


def scatter(words: Words, x: Axis, y: Axis, dots: Sequence[Dot], lines: Sequence[Line] = ()) -> str:
    """The plot as one svg element; what leaves an axis is drawn at its end."""
    parts = [
        _OPENING,
        f"<title>{escape(words.title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 22, words.title, size=15, colour=_INK, weight=600),
        _text(LEFT, 42, words.below),
        *(_x_tick(x, value) for value in x.ticks()),
        *(_y_tick(y, value) for value in y.ticks()),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x.words, anchor="middle"),
        _turned(16, (TOP + HEIGHT - BOTTOM) / 2, y.words),
        *(_line(x, y, line) for line in lines),
        *(_dot(x, y, dot) for dot in dots),
        "</svg>",
    ]
    return "\n".join(parts)


def _at(x: Axis, y: Axis, point: tuple[float, float]) -> tuple[float, float]:
    across, up = (min(max(a.share(v), 0.0), 1.0) for a, v in zip((x, y), point, strict=True))
    return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def _dot(x: Axis, y: Axis, dot: Dot) -> str:
    across, down = _at(x, y, (dot.x, dot.y))
    fill = "#fff" if dot.hollow else _DOT
    return (
        f'<circle cx="{across:.1f}" cy="{down:.1f}" r="{RADIUS}" fill="{fill}" stroke="{_DOT}" '
        f'stroke-width="1.5"><title>{escape(dot.name)}</title></circle>'
    )


def _line(x: Axis, y: Axis, line: Line) -> str:
    (x1, y1), (x2, y2) = _at(x, y, line.start), _at(x, y, line.end)
    dash = ' stroke-dasharray="5 4"' if line.dashed else ""
    drawn = (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{_QUIET}"{dash}/>'
    )
    return drawn + (_text(x2 + 7, y2 + 4, line.words) if line.words else "")


def _x_tick(x: Axis, value: float) -> str:
    across = LEFT + x.share(value) * (WIDTH - LEFT - RIGHT)
    return (
        f'<line x1="{across:.1f}" y1="{TOP}" x2="{across:.1f}" y2="{HEIGHT - BOTTOM}" '
        f'stroke="{_GRID}"/>' + _text(across, HEIGHT - BOTTOM + 17, f"{value:g}", anchor="middle")
    )


def _y_tick(y: Axis, value: float) -> str:
    down = HEIGHT - BOTTOM - y.share(value) * (HEIGHT - TOP - BOTTOM)
    return (
        f'<line x1="{LEFT}" y1="{down:.1f}" x2="{WIDTH - RIGHT}" y2="{down:.1f}" '
        f'stroke="{_GRID}"/>' + _text(LEFT - 7, down + 4, f"{value:g}", anchor="end")
    )


def _text(  # noqa: PLR0913 (one argument an attribute)
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    size: int = 12,
    colour: str = _QUIET,
    weight: int = 400,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}" font-weight="{weight}">{escape(words)}</text>'
    )


def _turned(x: float, y: float, words: str) -> str:
    return (
        f'<text transform="translate({x:.1f} {y:.1f}) rotate(-90)" text-anchor="middle" '
        f'fill="{_QUIET}">{escape(words)}</text>'
    )
