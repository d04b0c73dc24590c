"""How far a round has come, told to the store: step, loss, validation, curve, time left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from core.learning_store import LearningStore
from model.keeper import Look
from model.train import RoundProgress

# Each time costs a transaction; people look every two seconds.
PAUSE_S = 1.0
MOST_POINTS = 200
NEWEST_STEPS = 40


class Teller:
    """Tells the store of one round, once a second and at its end."""

    def __init__(self, store: LearningStore, round_id: str) -> None:
        self._store, self._round_id = store, round_id
        self._told_at = self._stepped_at = time.monotonic()
        self._step_s: deque[float] = deque(maxlen=NEWEST_STEPS)

    def tell(self, now: RoundProgress) -> None:
        """Take note of a step."""
        at = time.monotonic()
        self._step_s.append(at - self._stepped_at)
        self._stepped_at = at
        if at - self._told_at < PAUSE_S and now.step < now.steps:
            return
        self._told_at = at
        figures = {
            "curve": curve_of(now.losses, now.looks),
            "seconds_left": seconds_left(self._step_s, now.steps - now.step),
        }
        self._store.progress(
            self._round_id,
            step=now.step,
            loss=now.loss,
            validation_dice=now.validation_dice,
            figures=figures,
        )


def seconds_left(step_s: Iterable[float], steps: int) -> float:
    """How long `steps` take, by the median of those that were taken: pauses do not count."""
    return round(float(np.median(list(step_s))) * steps, 1)


def curve_of(losses: Sequence[float], looks: Sequence[Look]) -> dict[str, Any]:
    """The loss as at most 200 means of `every` steps each, and the newest looks as (step, Dice)."""
    every = max(1, -(-len(losses) // MOST_POINTS))
    means = [float(np.mean(losses[i : i + every])) for i in range(0, len(losses), every)]
    return {
        "every": every,
        "loss": [round(mean, 4) for mean in means],
        "looks": [[look.step, round(look.dice, 4)] for look in looks[-MOST_POINTS:]],
    }
