"""The learning curves as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from benchmarks.stream.run import RECIPES

WIDTH, HEIGHT = 1200, 760
LEFT, RIGHT, TOP, BOTTOM = 80, 30, 60, 250
COLOURS = ("#1f5fbf", "#0a9b8a", "#c0392b", "#e08e0b", "#7d3c98", "#7f8c8d")
BAND_ALPHA = 45
GOALS = (0.80, 0.85, 0.90, 0.95)
Figures = Mapping[str, Any]


def curves_png(found: Figures) -> bytes:
    """Mean Dice over the held-out patients after each number of patients; bands over the seeds."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture, "RGBA")
    patients = int(found["size"]["patients"])
    _axes(draw, patients)
    for number, (recipe, words) in enumerate(RECIPES.items()):
        y = HEIGHT - BOTTOM + 60 + 28 * number
        draw.line([(LEFT, y + 8), (LEFT + 40, y + 8)], fill=COLOURS[number], width=4)
        measured = recipe in found["recipes"]
        said = words if measured else f"{words} (not measured)"
        draw.text((LEFT + 52, y), said, fill="black", font=_font(15))
        if measured:
            _curve(draw, found["recipes"][recipe], COLOURS[number], patients)
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return content.getvalue()


def _curve(draw: ImageDraw.ImageDraw, figures: Figures, colour: str, patients: int) -> None:
    def points(name: str) -> list[tuple[float, float]]:
        return [
            _at(int(k), value, patients) for k, value in sorted(_by_look(figures[name]).items())
        ]

    band = points("dice_least") + points("dice_most")[::-1]
    if len(band) > 3:
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        draw.polygon(band, fill=(red, green, blue, BAND_ALPHA))
    draw.line(points("dice"), fill=colour, width=3)
    for x, y in points("dice"):
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)


def _axes(draw: ImageDraw.ImageDraw, patients: int) -> None:
    title = (
        "Held-out synthetic patients, mean Dice; bands from the lowest to the highest seed. "
        "Phantoms, not patients."
    )
    draw.text((LEFT, 20), title, fill="black", font=_font(16))
    for tenth in range(11):
        value = tenth / 10
        (x, y), (end, _) = _at(0, value, patients), _at(patients, value, patients)
        draw.line([(x, y), (end, y)], fill="#e0e0e0")
        draw.text((x - 40, y - 9), f"{value:.1f}", fill="black", font=_font(14))
    for goal in GOALS:
        (x, y), (end, _) = _at(0, goal, patients), _at(patients, goal, patients)
        draw.line([(x, y), (end, y)], fill="#bbbbbb")
    for k in range(0, patients + 1, max(1, patients // 8)):
        x, y = _at(k, 0.0, patients)
        draw.line([(x, y), (x, y + 6)], fill="black")
        draw.text((x - 6, y + 10), str(k), fill="black", font=_font(14))
    x, y = _at(patients, 0.0, patients)
    draw.text((x - 180, y + 30), "corrected patients", fill="black", font=_font(14))


def _at(k: int, dice: float, patients: int) -> tuple[float, float]:
    x = LEFT + (WIDTH - LEFT - RIGHT) * k / patients
    return x, TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - dice)


def _by_look(curve: Mapping[Any, float]) -> dict[int, float]:
    return {int(k): value for k, value in curve.items()}


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
