"""How many corrected patients a recipe needs: ours beside the published one, on synthetic patients.

    python -m benchmarks.learning [--size tiny|small|full] [--out FOLDER] [--only RECIPE:SEED ...]
                                  [--starting-model FOLDER]

The same stream of simulated patients goes through every recipe, with the same simulated physician
and the same CPU seconds of training for each patient. With `--out` a run that was killed goes on at
the same patient, and processes with different `--only` may work in one folder; without, everything
happens in a temporary folder. The folder then holds summary.json, curves.csv and curves.png. The
last line is JSON. What it says and does not say: docs/reference/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.stream.plot import curves_png
from benchmarks.stream.run import OURS_COLD, OWN_NETWORK, RECIPES, Run, go_through
from benchmarks.stream.sizes import SIZES, Size
from benchmarks.stream.summary import summarise, table
from core.files import read_json, write_json, write_whole

NICE = 10


def main() -> int:
    """Go through what is left to do, print figures and verdict; 1 when a bar was missed."""
    asked = _arguments()
    # One thread: two on a shared core burn time waiting for each other.
    torch.set_num_threads(1)
    os.nice(NICE)
    size = SIZES[asked.size]
    if asked.out is not None:
        return _all(asked, size, asked.out)
    with tempfile.TemporaryDirectory() as folder:
        return _all(asked, size, Path(folder))


def _all(asked: argparse.Namespace, size: Size, folder: Path) -> int:
    _require_same_size(folder, size)
    for run in _runs(asked, size):
        go_through(run, size, folder, starting_model=asked.starting_model, say=_say)
    found = summarise(folder, size)
    write_whole(folder / "curves.png", curves_png(found))
    verdicts = [verdict for verdict in found["bars"].values() if verdict is not None]
    holds = all(verdicts) if verdicts else None
    _say(table(found))
    _say(json.dumps({"size": size.name, **_short(found), "holds": holds}))
    return 1 if holds is False else 0


def _runs(asked: argparse.Namespace, size: Size) -> list[Run]:
    """Recipes in turn for each seed, so that the first figures of all come early."""
    if asked.only:
        return [_run_named(name) for name in asked.only]
    recipes = list(RECIPES)
    if asked.starting_model is None:
        recipes.remove(OURS_COLD)
        _say(f"Skipped, {RECIPES[OURS_COLD]}: no --starting-model was given.")
    if not size.with_own_network:
        recipes = [recipe for recipe in recipes if recipe not in OWN_NETWORK]
        _say("Skipped, the published network: so few patients do not bring it to a first model.")
    return [Run(recipe, seed) for seed in size.seeds for recipe in recipes]


def _run_named(name: str) -> Run:
    recipe, _, seed = name.partition(":")
    if recipe not in RECIPES or not seed.isdigit():
        raise SystemExit(f"--only {name}: expected RECIPE:SEED, with one of {', '.join(RECIPES)}.")
    return Run(recipe, int(seed))


def _require_same_size(folder: Path, size: Size) -> None:
    """Figures of different sizes must not meet in one folder."""
    path = folder / "size.json"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, asdict(size))
    elif read_json(path) != json.loads(json.dumps(asdict(size))):
        raise SystemExit(f"{folder} holds runs of another size; name another folder with --out.")


def _short(found: dict[str, Any]) -> dict[str, Any]:
    kept = ("hearts_needed", "dice_at_end", "dose_gy_at_end", "cpu_s_a_patient")
    recipes = {
        name: {key: figures[key] for key in kept} for name, figures in found["recipes"].items()
    }
    return {"recipes": recipes, "bars": found["bars"]}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.learning")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--only", nargs="+", default=[], metavar="RECIPE:SEED")
    parser.add_argument("--starting-model", type=Path, default=None)
    asked = parser.parse_args()
    if any(name.startswith(f"{OURS_COLD}:") for name in asked.only) and not asked.starting_model:
        parser.error(f"{OURS_COLD} needs --starting-model")
    return asked


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
