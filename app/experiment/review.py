"""How the simulated physician goes through one case, whatever is proposed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from app.experiment import by_hand, clock
from app.experiment.physician import Corrected, Opinion, correct
from core.geometry import Mask
from dose.difference import dice

# A proposal that is worse is cleared, and the structure contoured by hand.
USELESS_DICE = 0.5


def contour(
    proposed: Mask, opinion: Opinion, rng: np.random.Generator
) -> tuple[Corrected, Iterator[clock.Done]]:
    """What is approved in the end, and what is done for it."""
    if dice(proposed, opinion.meant) < USELESS_DICE:
        made, drawn = by_hand.draw(opinion)
        return made, clock.drawing(made, drawn, opinion.geometry)
    made = correct(proposed, opinion, rng)
    return made, clock.correcting(made, opinion.geometry)


def trainer_rests(status: Mapping[str, Any]) -> bool:
    """Whether the trainer has judged a round on all that was approved, and has no other to make.

    `status` is the answer of /api/status.
    """
    train, validation = status["learning_set"].values()
    if not train or not validation:
        return bool(train or validation)
    newest = next(iter(status["rounds"]), None)
    if newest is None or newest["state"] == "RUNNING":
        return False
    return bool(newest["examples"] == train + validation and newest["version"] is None)
