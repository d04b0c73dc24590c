"""The best weights that a round passed through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from model.cascade import Cascade
from model.learner import on_cpu
from model.metrics import CaseScore, mean_of, score_by_case
from model.registry import NetworkConfig, Weights
from model.samples import TrainingCase


class Look(NamedTuple):
    """One look at the validation cases: after which step, and the mean Dice found there."""

    step: int
    dice: float


class Keeper:
    """The best weights seen, by mean Dice on whole validation volumes.

    `pause` is called before each volume: what is more urgent may go first there.
    """

    def __init__(
        self,
        validation: Sequence[TrainingCase],
        config: NetworkConfig,
        pause: Callable[[], None],
    ) -> None:
        self.validation = validation
        self.config = config
        self.pause = pause
        self.best: Weights | None = None
        self.best_dice: float | None = None
        self.scores: dict[str, CaseScore] = {}
        self.looks: list[Look] = []

    def look_at(self, step: int, *networks: Cascade) -> None:
        """Measure the networks after `step` and keep the best one, if it beats what is kept."""
        if not self.validation:
            return
        found = []
        for network in networks:
            scores = self._measured(network)
            found.append(mean_of(scores))
            if self.best_dice is None or found[-1] > self.best_dice:
                self.best, self.best_dice = on_cpu(network), found[-1]
                self.scores = scores
        self.looks.append(Look(step, max(found)))

    def looks_without_progress(self) -> int:
        """How many looks there were since the best one; 0 without any."""
        if not self.looks:
            return 0
        dice = [look.dice for look in self.looks]
        return len(dice) - 1 - dice.index(max(dice))

    def _measured(self, network: Cascade) -> dict[str, CaseScore]:
        scores: dict[str, CaseScore] = {}
        for case in self.validation:
            self.pause()
            scores |= score_by_case(network, self.config, [case])
        return scores
