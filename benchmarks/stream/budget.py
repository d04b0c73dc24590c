"""Equal CPU seconds for every recipe, as a number of optimiser steps.

A busy machine charges the same step 1.5 times as much as an idle one. So what a step costs is
measured once for each folder of results, and every run of a recipe there takes the same steps:
runs can be repeated, and may go on beside each other.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from core.files import read_json, write_json

REPEATS = 3
FEW_STEPS, MANY_STEPS = 3, 13


def seconds_a_step(folder: Path, key: str, take: Callable[[int], object]) -> float:
    """CPU seconds that a step of the recipe `key` costs; measured and kept if not known yet.

    `take` trains a throw-away network for a number of steps. What a call costs besides its steps
    is taken out, and the middle one of three measurements counts.
    """
    path = folder / "calibration" / f"{key}.json"
    if not path.is_file():
        take(1)
        extra = MANY_STEPS - FEW_STEPS
        found = [
            (_cpu_s(take, MANY_STEPS) - _cpu_s(take, FEW_STEPS)) / extra for _ in "x" * REPEATS
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"seconds_a_step": max(1e-3, statistics.median(found))})
    return float(read_json(path)["seconds_a_step"])


def _cpu_s(take: Callable[[int], object], steps: int) -> float:
    start = time.process_time()
    take(steps)
    return time.process_time() - start
