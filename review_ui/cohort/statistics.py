"""What is computed of figures in the order of their cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

RUNNING_CASES = 60  # figures 5 and 7 of the paper
BREAK_EVEN_CASES = 10
SMALL_GY, LARGE_GY = 0.25, 1.0  # figure 8b
# Shewhart's chart of single values: three standard deviations, from the mean step to the next.
STEPS_TO_LIMIT = 2.66


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of the values up to a place."""

    mean: float
    sd: float


def running(values: Sequence[float], cases: int = RUNNING_CASES) -> list[Spread]:
    """At each place the spread of the last `cases` values, of fewer where there are fewer."""
    found = []
    for end in range(1, len(values) + 1):
        window = np.asarray(values[max(0, end - cases) : end], float)
        found.append(Spread(float(window.mean()), float(window.std())))
    return found


def smoothed(values: Sequence[float], sigma_cases: float) -> list[float]:
    """Mean at each place, weighted by a Gaussian of `sigma_cases` over the distance in cases."""
    at = np.arange(len(values))
    weights = np.exp(-0.5 * ((at[:, None] - at) / sigma_cases) ** 2)
    means = weights @ np.asarray(values, float) / weights.sum(axis=1)
    return [float(mean) for mean in means]


def thirds(values: Sequence[float]) -> list[Sequence[float]]:
    """First, middle and last third; the first ones are longer by one where it does not go up."""
    size, left = divmod(len(values), 3)
    ends = np.cumsum([0, *(size + (part < left) for part in range(3))])
    return [values[start:end] for start, end in pairwise(ends)]


def dose_shares(differences_gy: Sequence[float]) -> tuple[float, float]:
    """Shares of |difference| from 0.25 to 1 Gy, and of more, 0..1; NaN without values."""
    if not differences_gy:
        return math.nan, math.nan
    sizes = np.abs(np.asarray(differences_gy, float))
    small = np.mean((sizes >= SMALL_GY) & (sizes <= LARGE_GY))
    return float(small), float(np.mean(sizes > LARGE_GY))


def break_even(seconds: Sequence[float], manual_s: float) -> int | None:
    """From which place on the mean of ten successive values stays below `manual_s`.

    The place, counted from 1, at which the first such ten end; None where there is none.
    """
    if len(seconds) < BREAK_EVEN_CASES:
        return None
    means = [spread.mean for spread in running(seconds, BREAK_EVEN_CASES)]
    above = [n for n in range(BREAK_EVEN_CASES - 1, len(means)) if means[n] >= manual_s]
    first = above[-1] + 2 if above else BREAK_EVEN_CASES
    return first if first <= len(means) else None


def control_limits(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower limit (not below 0), mean and upper limit of a chart of single values."""
    mean = float(np.mean(values))
    reach = STEPS_TO_LIMIT * float(np.mean(np.abs(np.diff(values)))) if len(values) > 1 else 0.0
    return max(0.0, mean - reach), mean, mean + reach
