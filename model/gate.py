"""Whether a candidate may become the released model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.metrics import mean


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promoted or not, and why, in one sentence."""

    promoted: bool
    sentence: str


def judge(
    candidate_dice: Mapping[str, float], released_dice: Mapping[str, float] | None
) -> Verdict:
    """Promote only what is strictly better in mean Dice on the same validation cases.

    Both map case id to Dice; `released_dice` is None while no model is released. Raises
    `ValueError` when the two were not measured on the same cases.
    """
    if not candidate_dice:
        return Verdict(False, "Not promoted: there is no validation case to judge the candidate.")
    if released_dice is not None and released_dice.keys() != candidate_dice.keys():
        raise ValueError("Candidate and released model must be measured on the same cases.")
    candidate, count = mean(candidate_dice), len(candidate_dice)
    cases = f"{count} validation case" + ("" if count == 1 else "s")
    if released_dice is None:
        if candidate > 0.0:
            return Verdict(True, f"Promoted: first model, mean Dice {candidate:.3f} on {cases}.")
        return Verdict(False, f"Not promoted: the candidate found nothing on {cases}.")
    released = mean(released_dice)
    figures = f"mean Dice {candidate:.3f} against {released:.3f} of the released model on {cases}"
    if candidate > released:
        return Verdict(True, f"Promoted: {figures}.")
    return Verdict(False, f"Not promoted: {figures}.")
