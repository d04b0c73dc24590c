"""What the runs say: curves, hearts needed, mean dose, and whether the bars are reached."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.stream.run import CORRECTED, OURS, OURS_COLD, PUBLISHED, RECIPES, Run, read_log
from benchmarks.stream.sizes import Size
from core.files import write_json, write_whole

GOALS = (0.80, 0.85, 0.90, 0.95)
# A curve has reached a goal if it does not fall below it by more than this later on.
TOLERANCE = 0.01
BAR_DICE, BAR_END_DICE, BAR_COLD_HEARTS = 0.85, 0.90, 5
BAR_PUBLISHED, BAR_CORRECTED = 3, 2
BAR_PATIENTS = 40

Curve = dict[int, float]


def hearts_needed(curve: Mapping[int, float], goal: float) -> int | None:
    """The first number of patients from which the curve stays at `goal`; None if it never does.

    At that look it is at `goal` or above, and at no later look below `goal` by more than 0.01.
    """
    looks = sorted(curve)
    for at in looks:
        later = [curve[k] for k in looks if k > at]
        if curve[at] >= goal and all(value >= goal - TOLERANCE for value in later):
            return at
    return None


def summarise(folder: Path, size: Size) -> dict[str, Any]:
    """Figures of all runs so far; also written as summary.json and curves.csv."""
    logs = {
        (recipe, seed): read_log(folder, Run(recipe, seed))
        for recipe in RECIPES
        for seed in size.seeds
    }
    logs = {key: log for key, log in logs.items() if log["patients"]}
    recipes = {
        recipe: _of_recipe([log for (name, _), log in logs.items() if name == recipe])
        for recipe in RECIPES
        if any(name == recipe for name, _ in logs)
    }
    complete = {
        recipe
        for recipe in recipes
        if all(
            len(logs[recipe, s]["patients"]) == size.patients
            for s in size.seeds
            if (recipe, s) in logs
        )
        and all((recipe, s) in logs for s in size.seeds)
    }
    found = {
        "size": asdict(size),
        "recipes": recipes,
        "bars": bars(recipes, complete, size.patients),
    }
    write_json(folder / "summary.json", found)
    write_whole(folder / "curves.csv", _csv(logs).encode())
    return found


def bars(
    recipes: Mapping[str, Mapping[str, Any]], complete: set[str], patients: int
) -> dict[str, bool | None]:
    """Each bar: reached, missed, or None where it was not measured (40 patients, all seeds).

    An opponent who never reaches the goal needs at least one patient more than there were.
    """
    verdicts: dict[str, bool | None] = dict.fromkeys(
        (
            "published needs three times the hearts for 0.85",
            "masked loss needs twice the hearts for 0.85",
            "0.90 at 40 patients on every seed",
            "a released model never lowers validation Dice",
            "from the starting model 0.85 within 5 hearts",
        )
    )
    if patients < BAR_PATIENTS:
        return verdicts
    names = list(verdicts)
    if OURS in complete:
        needs = recipes[OURS]["hearts_needed"][f"{BAR_DICE:.2f}"]
        for name, opponent, ratio in (
            (names[0], PUBLISHED, BAR_PUBLISHED),
            (names[1], CORRECTED, BAR_CORRECTED),
        ):
            if opponent in complete:
                theirs = recipes[opponent]["hearts_needed"][f"{BAR_DICE:.2f}"] or patients + 1
                verdicts[name] = needs is not None and ratio * needs <= theirs
        verdicts[names[2]] = min(recipes[OURS]["dice_at_end"]) >= BAR_END_DICE
        verdicts[names[3]] = recipes[OURS]["never_lowered"]
    if OURS_COLD in complete:
        needs = recipes[OURS_COLD]["hearts_needed"][f"{BAR_DICE:.2f}"]
        verdicts[names[4]] = needs is not None and needs <= BAR_COLD_HEARTS
    return verdicts


def table(found: Mapping[str, Any]) -> str:
    """The figures as text."""
    goals = "".join(f"{f'.{round(100 * g)}':>7}" for g in GOALS)
    lines = [
        "Hearts needed for a mean Dice over the held-out synthetic patients (mean of the seeds):",
        f"{'':72}{goals}{'end':>8}{'worst':>7}{'|dose| Gy':>11}",
    ]
    for recipe, figures in found["recipes"].items():
        needs = "".join(f"{_or_dash(figures['hearts_needed'][f'{g:.2f}']):>7}" for g in GOALS)
        ends = figures["dice_at_end"]
        lines.append(
            f"{RECIPES[recipe]:72}{needs}{np.mean(ends):8.3f}{min(ends):7.3f}"
            f"{np.mean(figures['dose_gy_at_end']):11.2f}"
        )
    said = {True: "reached", False: "missed", None: "not measured"}
    lines += [f"{said[verdict]:>13}: {bar}" for bar, verdict in found["bars"].items()]
    return "\n".join(lines)


def _of_recipe(logs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    curves = [_curve(log, "dice") for log in logs]
    doses = [_curve(log, "dose_gy") for log in logs]
    mean, mean_dose = _mean(curves), _mean(doses)
    return {
        "seeds": len(logs),
        "patients": [len(log["patients"]) for log in logs],
        "dice": mean,
        "dice_least": {k: min(c[k] for c in curves) for k in mean},
        "dice_most": {k: max(c[k] for c in curves) for k in mean},
        "dose_gy": mean_dose,
        "hearts_needed": {f"{goal:.2f}": hearts_needed(mean, goal) for goal in GOALS},
        "hearts_needed_by_seed": {
            f"{goal:.2f}": [hearts_needed(curve, goal) for curve in curves] for goal in GOALS
        },
        "dice_at_end": [curve[max(curve)] for curve in curves],
        "dose_gy_at_end": [curve[max(curve)] for curve in doses],
        "training_s_a_patient": _per_patient(logs, "training_s"),
        "cpu_s_a_patient": _per_patient(logs, "cpu_s"),
        "approved_dice": _per_patient(logs, "approved_dice"),
        "never_lowered": all(_never_lowered(log) for log in logs),
        "promotions": [sum(bool(p.get("promoted")) for p in log["patients"]) for log in logs],
    }


def _curve(log: Mapping[str, Any], figure: str) -> Curve:
    return {int(k): float(np.mean(look[figure])) for k, look in log["looks"].items()}


def _mean(curves: Sequence[Curve]) -> Curve:
    """Over the looks that all curves have."""
    common = set.intersection(*(set(curve) for curve in curves))
    return {k: float(np.mean([curve[k] for curve in curves])) for k in sorted(common)}


def _per_patient(logs: Sequence[Mapping[str, Any]], figure: str) -> float:
    return float(np.mean([p[figure] for log in logs for p in log["patients"]]))


def _never_lowered(log: Mapping[str, Any]) -> bool:
    """Whether each promotion left the validation Dice, measured anew, where it was or higher."""
    changes = (
        (p["validation_before"], p["validation_after"])
        for p in log["patients"]
        if p.get("promoted") and p["validation_before"] is not None
    )
    return all(after >= before for before, after in changes)


def _csv(logs: Mapping[tuple[str, int], Mapping[str, Any]]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["recipe", "seed", "patients", "dice_mean", "dice_worst", "dose_gy_mean"])
    for (recipe, seed), log in logs.items():
        for k in sorted(log["looks"], key=int):
            look = log["looks"][k]
            figures = (np.mean(look["dice"]), min(look["dice"]), np.mean(look["dose_gy"]))
            rows.writerow([recipe, seed, k, *(f"{value:.4f}" for value in figures)])
    return text.getvalue()


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
