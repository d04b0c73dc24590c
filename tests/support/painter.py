"""A hand at the review page, and by brute force what it drew."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np

from core.geometry import Mask
from tests.browser.review_page import ReviewPage

RADIUS_MM = 8.0
"""Of the brush a page opens with."""
REACH_PX = 60
VALUE = {"left": 1, "right": 2}  # add, and the opposite brush


@dataclass(frozen=True, slots=True)
class Step:
    """What one entry of the journal must amount to: a disc drawn along a way, or an undo."""

    kind: Literal["stroke", "undo"]
    value: int = 0
    where: Mask = field(default_factory=lambda: np.zeros(0, bool))


def replay(steps: list[Step], shape: tuple[int, int, int]) -> np.ndarray:
    """Value of each voxel after `steps`: 0 untouched, 1 added, 2 removed. Every state is kept."""
    states = [np.zeros(shape, np.uint8)]
    for step in steps:
        if step.kind == "undo":
            states.pop()
        else:
            states.append(np.where(step.where, step.value, states[-1]).astype(np.uint8))
    return states[-1]


class Painter:
    """Draws by chance; `drawn` is every step from its beginning, `released` how many were ended."""

    def __init__(self, rng: random.Random, shape: tuple[int, int, int]) -> None:
        self.rng = rng
        self.shape = shape
        self.drawn: list[Step] = []
        self.released = 0

    def kept(self, count: int) -> None:
        """The first `count` steps are what is left."""
        del self.drawn[count:]
        self.released = len(self.drawn)

    def step(self, review: ReviewPage) -> None:
        """Draw one stroke that changes something, or take one back."""
        strokes = sum(1 if step.kind == "stroke" else -1 for step in self.drawn)
        if strokes and self.rng.random() < 0.15:
            self.drawn.append(Step("undo"))
            review.page.keyboard.press("z")
            self.released = len(self.drawn)
            return
        while not self._stroke(review):
            pass

    def _stroke(self, review: ReviewPage) -> bool:
        plane = self.rng.choice(["axial", "sagittal", "coronal"])
        button: Literal["left", "right"] = self.rng.choice(["left", "right"])
        x, y = review.middle(plane)
        way = [
            (x + self.rng.randint(-REACH_PX, REACH_PX), y + self.rng.randint(-REACH_PX, REACH_PX))
            for _ in range(4)
        ]
        where = np.zeros(self.shape, bool)
        for start, end in pairwise(way):
            where |= review.disc(plane, start, end, RADIUS_MM)
        before = replay(self.drawn, self.shape)
        if (before[where] == VALUE[button]).all():
            return False  # nothing would change, and nothing would be journaled
        mouse = review.page.mouse
        mouse.move(*way[0])
        self.drawn.append(Step("stroke", VALUE[button], where))
        mouse.down(button=button)
        for point in way[1:]:
            mouse.move(*point)
            review.page.wait_for_timeout(self.rng.uniform(5, 30))
        mouse.up(button=button)
        self.released = len(self.drawn)
        return True
