"""A prediction interval that covers as often as it says: ridge regression and conformal residuals.

The regression only orders cases and scales their residuals; the interval comes from the ranks of
residuals on cases that the regression was not fitted on (Vovk et al. 2005; Lei et al. 2018). Its
coverage holds for whatever regression, as long as those cases and the next one are exchangeable:
drawn alike, in any order. New scanners, another protocol or another way of contouring break that,
until cases of the new kind are among the residuals. Where cases are few, each is a residual of a
regression fitted on the others (cross-conformal: Vovk 2015; Barber et al. 2021): the promise is a
little weaker on paper, and the interval rests on all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.float64]

LEVEL = 0.90
# Below it, the outermost ranks do not reach 5 % on each side.
LEAST_RESIDUALS = 19
FOLDS = 10
# The signs say much the same: a strong ridge averages them (AUC .90 for the worst fifth, .89 at 1).
RIDGE = 10.0


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the interval that holds the truth in nine of ten cases."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Regression:
    """A linear estimate from signs of a case, its expected residual, and residuals seen (sorted).

    Signs are clipped to what was seen in fitting: nothing is extrapolated. `residuals` are in units
    of the expected residual, `spread[0]` + `spread[1]` * estimate, at least `spread[2]`.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    offset: float
    spread: tuple[float, float, float]
    residuals: tuple[float, ...] = ()

    @classmethod
    def fitted(cls, signs: Table, truth: Table) -> Self:
        """Fitted on `signs` (case, sign) and `truth` (case,); it has no residuals yet."""
        centre, scale = signs.mean(0), np.maximum(signs.std(0), 1e-6)
        x, y = (signs - centre) / scale, truth - truth.mean()
        weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
        estimate = x @ weights + truth.mean()
        away = np.abs(truth - estimate)
        with_one = np.stack([np.ones_like(estimate), estimate], axis=1)
        a, b = np.linalg.lstsq(with_one, away, rcond=None)[0]
        return cls(
            low=tuple(signs.min(0).tolist()),
            high=tuple(signs.max(0).tolist()),
            centre=tuple(centre.tolist()),
            scale=tuple(scale.tolist()),
            weights=tuple(weights.tolist()),
            offset=float(truth.mean()),
            spread=(float(a), float(b), max(0.5 * float(np.median(away)), 1e-3)),
        )

    @classmethod
    def crossed(cls, signs: Table, truth: Table) -> tuple[Self, Table]:
        """Fitted on all cases, with their residuals and estimates when fitted on nine tenths.

        The estimates (case,) are what a case that comes later would get.
        """
        folds = np.arange(len(truth)) % FOLDS
        residuals, estimates = np.zeros(len(truth)), np.zeros(len(truth))
        for fold in range(FOLDS):
            there = folds == fold
            part = cls.fitted(signs[~there], truth[~there])
            estimates[there] = [part.estimate(s) for s in signs[there]]
            residuals[there] = part.residuals_of(estimates[there], truth[there])
        made = cls.fitted(signs, truth)
        return replace(made, residuals=tuple(np.sort(residuals).tolist())), estimates

    def calibrated(self, signs: Table, truth: Table) -> Self:
        """The same regression with the residuals of other cases than it was fitted on."""
        estimates = np.array([self.estimate(s) for s in signs])
        residuals = np.sort(self.residuals_of(estimates, truth))
        return replace(self, residuals=tuple(residuals.tolist()))

    @property
    def is_calibrated(self) -> bool:
        """Whether there are residuals enough for an interval."""
        return len(self.residuals) >= LEAST_RESIDUALS

    def interval(self, signs: Sequence[float] | Table) -> Interval:
        """The estimate for a case, moved by the usual residual, and its 90 % interval.

        Conformal on each side with 5 %: of n residuals the rank (n + 1) 0.95, rounded up.
        """
        estimate = self.estimate(signs)
        spread, n = self._spread(estimate), len(self.residuals)
        rank = min(int(np.ceil((n + 1) * (1 + LEVEL) / 2)), n)
        usual = float(np.median(self.residuals))
        return Interval(
            value=estimate + spread * usual,
            low=estimate + spread * self.residuals[n - rank],
            high=estimate + spread * self.residuals[rank - 1],
        )

    def estimate(self, signs: Sequence[float] | Table) -> float:
        """The estimate as fitted, whatever residuals were seen."""
        x = (np.clip(signs, self.low, self.high) - self.centre) / np.asarray(self.scale)
        return float(x @ np.asarray(self.weights)) + self.offset

    def residuals_of(self, estimates: Table, truth: Table) -> Table:
        """How far the truth lies from the estimates (case,), in spreads."""
        spreads = np.array([self._spread(e) for e in estimates], np.float64)
        return np.asarray((truth - estimates) / spreads, np.float64)

    def _spread(self, estimate: float) -> float:
        a, b, least = self.spread
        return max(a + b * estimate, least)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        a, b, least = (float(v) for v in values["spread"])
        lists = {
            name: tuple(float(v) for v in values[name])
            for name in ("low", "high", "centre", "scale", "weights", "residuals")
        }
        return cls(**lists, offset=float(values["offset"]), spread=(a, b, least))
