"""The best weights that a round passed through."""

from __future__ import annotations

from collections.abc import Sequence

from model.cascade import Cascade
from model.learner import on_cpu
from model.metrics import CaseScore, mean_of, score_by_case
from model.registry import NetworkConfig, Weights
from model.samples import TrainingCase


class Keeper:
    """The best weights seen, by mean Dice on whole validation volumes."""

    def __init__(
        self,
        validation: Sequence[TrainingCase],
        config: NetworkConfig,
    ) -> None:
        self.validation = validation
        self.config = config
        self.best: Weights | None = None
        self.best_dice: float | None = None
        self.scores: dict[str, CaseScore] = {}

    def look_at(self, *networks: Cascade) -> None:
        """Measure the networks and keep the best one, if it beats what is kept."""
        for network in networks if self.validation else ():
            scores = score_by_case(network, self.config, self.validation)
            if self.best_dice is None or mean_of(scores) > self.best_dice:
                self.best, self.best_dice = on_cpu(network), mean_of(scores)
                self.scores = scores
