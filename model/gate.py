"""Whether a candidate may become the released model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from model.metrics import CaseScore, mean_of

# How much worse than the released model a candidate may be in one respect while it is better in
# the mean Dice. Wide enough for the noise of a few cases, narrow enough that nobody is harmed.
DICE_MARGIN = 0.02
SURFACE_DICE_MARGIN = 0.03
HAUSDORFF_MARGIN_MM = 2.0
DOSE_MARGIN_GY = 0.10
WORST_CASE_MARGIN = 0.10
SENTINEL_MARGIN = 0.03
# Fewer cases than this have no spread to resample: their mean difference is taken as it is.
FEWEST_TO_RESAMPLE = 5
# What a model below this mean Dice does not find is everywhere; it is replaced by what finds more.
USABLE_DICE = 0.5
RESAMPLES = 2000
CONFIDENCE = 95.0

Scores = Mapping[str, CaseScore]
Differences = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Promoted or not, why in one sentence, and the figures it rests on.

    `scores` are those of each case, by whose they are: candidate, released, sentinel (of the
    candidate) and released_sentinel.
    """

    promoted: bool
    sentence: str
    figures: dict[str, float] = field(default_factory=dict)
    scores: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Everything there is to keep of it, as plain values."""
        return {"promoted": self.promoted, "figures": self.figures, "scores": self.scores}


@dataclass(frozen=True, slots=True)
class _Respect:
    """One respect in which a candidate must not be worse; `worse` is positive where it is.

    `proven`: the bootstrap must rule out that it is worse by more than the margin. Else it must be
    within the margin in the mean and not shown to be worse: surfaces and doses of a few cases
    scatter too much for more.
    """

    name: str
    unit: str
    margin: float
    proven: bool
    worse: Callable[[CaseScore, CaseScore], float | None]


def _dose_worse(new: CaseScore, old: CaseScore) -> float | None:
    if new.mean_dose_error_gy is None or old.mean_dose_error_gy is None:
        return None
    return new.mean_dose_error_gy - old.mean_dose_error_gy


_RESPECTS = (
    _Respect("Dice", "", DICE_MARGIN, True, lambda new, old: old.dice - new.dice),
    _Respect(
        "surface Dice",
        "",
        SURFACE_DICE_MARGIN,
        False,
        lambda new, old: old.surface_dice - new.surface_dice,
    ),
    _Respect(
        "95 % Hausdorff distance",
        " mm",
        HAUSDORFF_MARGIN_MM,
        False,
        lambda new, old: new.hausdorff_95_mm - old.hausdorff_95_mm,
    ),
    _Respect("mean dose error", " Gy", DOSE_MARGIN_GY, False, _dose_worse),
)


def judge(
    candidate: Scores,
    released: Scores | None,
    *,
    sentinel: Scores | None = None,
    released_sentinel: Scores | None = None,
) -> Verdict:
    """Promote what is better in mean Dice and worse in nothing, on the same validation cases.

    All map case id to scores; `released` is None while no model is released. *Worse in nothing*:
    the upper 95 % bound of the paired bootstrap over the cases (their mean difference, where there
    are fewer than five) stays within a margin in Dice; surface Dice, 95 % Hausdorff distance and
    mean dose error stay within theirs in the mean, and their lower bound does not say that they are
    worse; no single case loses more than 0.10; and the sentinel cases, which are the same for ever,
    do not fall. While the released model has a mean Dice below 0.5, only mean Dice and the
    sentinel cases count. Raises `ValueError` when both models were not measured on the same cases.
    """
    measured = {
        "candidate": candidate,
        "released": released,
        "sentinel": sentinel,
        "released_sentinel": released_sentinel,
    }
    verdict = _judged(candidate, released, sentinel, released_sentinel)
    return replace(verdict, scores={who: _plain(s) for who, s in measured.items() if s})


def _judged(
    candidate: Scores,
    released: Scores | None,
    sentinel: Scores | None,
    released_sentinel: Scores | None,
) -> Verdict:
    if not candidate:
        return Verdict(False, "Not promoted: there is no validation case to judge the candidate.")
    if released is None:
        return _first(candidate)
    _require_same_cases(candidate, released)
    new, old = mean_of(candidate), mean_of(released)
    cases = f"{len(candidate)} validation case" + ("" if len(candidate) == 1 else "s")
    figures = {"dice": new, "dice_released": old}
    against = f"mean Dice {new:.3f} against {old:.3f} of the released model on {cases}"
    if new <= old:
        return Verdict(False, f"Not promoted: {against}.", figures)
    objection = "" if old < USABLE_DICE else _objection(candidate, released, figures)
    objection = objection or _sentinel_objection(sentinel, released_sentinel, figures)
    if objection:
        return Verdict(False, f"Not promoted: {against}, but {objection}.", figures)
    return Verdict(True, f"Promoted: {against}, and worse in nothing.", figures)


def _plain(scores: Scores) -> dict[str, dict[str, Any]]:
    return {case: score.to_json() for case, score in scores.items()}


def _first(candidate: Scores) -> Verdict:
    found, count = mean_of(candidate), len(candidate)
    cases = f"{count} validation case" + ("" if count == 1 else "s")
    if found > 0.0:
        sentence = f"Promoted: first model, mean Dice {found:.3f} on {cases}."
        return Verdict(True, sentence, {"dice": found})
    sentence = f"Not promoted: the candidate found nothing on {cases}."
    return Verdict(False, sentence, {"dice": found})


def _objection(candidate: Scores, released: Scores, figures: dict[str, float]) -> str:
    for respect in _RESPECTS:
        both = (respect.worse(candidate[case], released[case]) for case in sorted(candidate))
        differences = np.array([d for d in both if d is not None])
        if not len(differences):
            continue
        found = _objection_to(respect, differences, figures)
        if found:
            return found
    falls = {case: released[case].dice - candidate[case].dice for case in candidate}
    worst = max(falls.values())
    figures["worst case"] = worst
    if worst > WORST_CASE_MARGIN:
        return f"one case loses {worst:.3f} Dice (allowed: {WORST_CASE_MARGIN:.2f})"
    return ""


def _objection_to(respect: _Respect, differences: Differences, figures: dict[str, float]) -> str:
    """Why the candidate is worse in one respect, by its differences on each case; empty if not."""
    mean, at_most = float(differences.mean()), bootstrap_bound(differences)
    at_least = -bootstrap_bound(-differences)
    figures[f"{respect.name}: worse by"] = mean
    figures[f"{respect.name}: worse by at most"] = at_most
    allowed = f"(allowed: {respect.margin:.2f}{respect.unit})"
    if respect.proven and at_most > respect.margin:
        return f"its {respect.name} may be worse by {at_most:.3f}{respect.unit} {allowed}"
    if mean > respect.margin:
        return f"its {respect.name} is worse by {mean:.3f}{respect.unit} {allowed}"
    if len(differences) >= FEWEST_TO_RESAMPLE and at_least > 0.0:
        return f"its {respect.name} is worse by {mean:.3f}{respect.unit} on nearly every case"
    return ""


def _sentinel_objection(
    sentinel: Scores | None, released: Scores | None, figures: dict[str, float]
) -> str:
    if not sentinel or not released:
        return ""
    _require_same_cases(sentinel, released)
    fall = mean_of(released) - mean_of(sentinel)
    worst = max(released[case].dice - sentinel[case].dice for case in sentinel)
    figures["sentinel: mean fall"], figures["sentinel: worst fall"] = fall, worst
    if fall > SENTINEL_MARGIN:
        return f"the sentinel cases fall by {fall:.3f} in the mean (allowed: {SENTINEL_MARGIN:.2f})"
    if worst > WORST_CASE_MARGIN:
        return f"one sentinel case loses {worst:.3f} Dice (allowed: {WORST_CASE_MARGIN:.2f})"
    return ""


def bootstrap_bound(differences: Differences) -> float:
    """Upper 95 % bound of the mean of paired `differences`, by resampling cases; repeatable.

    Of fewer than five cases the mean itself.
    """
    if len(differences) < FEWEST_TO_RESAMPLE:
        return float(differences.mean())
    rng = np.random.default_rng(0)
    picks = rng.integers(0, len(differences), (RESAMPLES, len(differences)))
    return float(np.percentile(differences[picks].mean(axis=1), CONFIDENCE))


def _require_same_cases(candidate: Scores, released: Scores) -> None:
    if released.keys() != candidate.keys():
        raise ValueError("Candidate and released model must be measured on the same cases.")
