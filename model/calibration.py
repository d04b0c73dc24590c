"""How far a prediction's own figures can be trusted: what was expected against what came out.

A calibration belongs to one model version and lies beside its weights as JSON. It is made on cases
the model did not learn from, and moves to a site's own as soon as there are enough of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.errors import UnreadableObjectError
from core.files import read_json, write_json
from core.geometry import Mask
from model.conformal import LEAST_RESIDUALS, Interval, Regression, Table
from model.oddities import UNKNOWN, Population, Usual, oddities, population_of, unusual
from model.preprocess import Values
from model.uncertainty import Estimates, Place

CALIBRATION_FILE = "calibration.json"
SYNTHETIC, SITE = "synthetic patients", "approved cases of this site"
# From so many approved cases on the site speaks for itself.
LEAST_SITE_CASES = 20
LEAST_SITE_POPULATION = 10
LEAST_CASES = 2 * LEAST_RESIDUALS
_SMALL = 0.02


@dataclass(frozen=True, slots=True)
class DoseSigns:
    """What the dose says about a mask, in Gy: its mean, and how that hangs on undecided voxels.

    `shift_gy` is how far the mean moves when each voxel counts with its probability, `wobble_gy`
    how much dose the undecided voxels could move: sum p(1-p) |dose - mean| / sum p.
    """

    mean_gy: float
    shift_gy: float
    wobble_gy: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A prediction of which the truth came to be known; the dose parts only where there was one."""

    estimates: Estimates
    dice: float
    truth: Place | None = None
    dose: DoseSigns | None = None
    dose_error_gy: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        truth, dose = values["truth"], values["dose"]
        return cls(
            estimates=Estimates.from_json(values["estimates"]),
            dice=float(values["dice"]),
            truth=None if truth is None else Place(**truth),
            dose=None if dose is None else DoseSigns(**dose),
            dose_error_gy=values["dose_error_gy"],
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns figures of a prediction into an expected Dice and mean dose error, with intervals.

    `cases` is how many residuals the Dice interval rests on and `origin` whose they are.
    """

    model_version: str
    origin: str
    population: Population
    dice: Regression  # of log(1.02 - Dice)
    dose: Regression | None  # of log(|error| + 0.02 Gy)

    @property
    def cases(self) -> int:
        """How many cases the Dice interval rests on."""
        return len(self.dice.residuals)

    def expected(self, found: Estimates) -> Interval | None:
        """Dice of the mask with what will be approved; None where nothing can be said.

        Nothing can be said of an empty mask, and of one unlike those the calibration rests on.
        """
        if not self.knows(found) or not self.dice.is_calibrated:
            return None
        missing = self.dice.interval(self._signs(found))
        value, low, high = (
            1.0 + _SMALL - float(np.exp(v)) for v in (missing.value, missing.high, missing.low)
        )
        return _within(Interval(value, low, high), 0.0, 1.0)

    def guess(self, found: Estimates) -> float:
        """The Dice that its signs point to, 0..1; for an order of cases, where nothing is promised.

        0 for an empty mask.
        """
        if found.place.volume_cc == 0.0:
            return 0.0
        missing = self.dice.estimate(self._signs(found))
        return float(np.clip(1.0 + _SMALL - np.exp(missing), 0.0, 1.0))

    def expected_dose_error(self, found: Estimates, dose: DoseSigns) -> Interval | None:
        """|Mean dose of the mask - of what will be approved| in Gy; None where unknown."""
        if self.expected(found) is None or self.dose is None or not self.dose.is_calibrated:
            return None
        interval = self.dose.interval(self.error_signs(found, dose))
        value, low, high = (
            float(np.exp(v)) - _SMALL for v in (interval.value, interval.low, interval.high)
        )
        return _within(Interval(value, low, high), 0.0, np.inf)

    def on_site(self, outcomes: Sequence[Outcome], approved: Sequence[Place]) -> Calibration:
        """The same with the residuals of a site's own cases, where they are enough.

        `outcomes` are predictions made before anybody approved; `approved` are structures that
        were. Each counts from its own least number on.
        """
        population = dict(self.population)
        if len(approved) >= LEAST_SITE_POPULATION:
            own = population_of(approved)
            population |= {n: u for n, u in own.items() if u.count >= LEAST_SITE_POPULATION}
        moved = replace(self, population=population)
        known = [o for o in outcomes if moved.knows(o.estimates)]
        if len(known) < LEAST_SITE_CASES:
            return moved
        moved = replace(moved, origin=SITE, dice=self.dice.calibrated(*moved.dice_table(known)))
        with_dose = [o for o in known if o.dose_error_gy is not None]
        if self.dose is None or len(with_dose) < LEAST_SITE_CASES:
            return moved
        return replace(moved, dose=self.dose.calibrated(*_dose_table(with_dose, moved)))

    def dice_table(self, known: Sequence[Outcome]) -> tuple[Table, Table]:
        """What the Dice is told from (case, sign), and how much of it was missing (case,)."""
        return np.array([self._signs(o.estimates) for o in known]), _missing(known)

    def knows(self, found: Estimates) -> bool:
        """Whether a prediction is like those the calibration rests on."""
        return _known(found, self.population)

    def error_signs(self, found: Estimates, dose: DoseSigns) -> list[float]:
        """What the mean dose error is told from."""
        return _error_signs(dose, self.dice.estimate(self._signs(found)))

    def _signs(self, found: Estimates) -> list[float]:
        # A calibration made by an earlier edition knows fewer; what was added came at the end.
        return _dice_signs(found, self.population)[: len(self.dice.weights)]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(
            model_version=str(values["model_version"]),
            origin=str(values["origin"]),
            population={n: Usual(**u) for n, u in values["population"].items()},
            dice=Regression.from_json(values["dice"]),
            dose=None if values["dose"] is None else Regression.from_json(values["dose"]),
        )


def calibrate(
    model_version: str, outcomes: Sequence[Outcome], *, origin: str = SYNTHETIC
) -> Calibration | None:
    """A calibration from held-out cases in random order; None from fewer than 38.

    Cross-conformal: each residual is of regressions fitted without its case. What the dose error
    is told from includes the missing Dice, as it was estimated without the case.
    """
    if len(outcomes) < LEAST_CASES:
        return None
    population = population_of([o.truth for o in outcomes if o.truth is not None])
    known = [o for o in outcomes if _known(o.estimates, population)]
    if len(known) < LEAST_RESIDUALS:
        return None
    signs = np.array([_dice_signs(o.estimates, population) for o in known])
    dice, estimates = Regression.crossed(signs, _missing(known))
    made = Calibration(model_version, origin, population, dice, None)
    dosed = [
        (o.dose, o.dose_error_gy, missing)
        for o, missing in zip(known, estimates, strict=True)
        if o.dose is not None and o.dose_error_gy is not None
    ]
    if len(dosed) < LEAST_RESIDUALS:
        return made
    signs = np.array([_error_signs(dose, missing) for dose, _, missing in dosed])
    errors = np.array([_log(error) for _, error, _ in dosed])
    return replace(made, dose=Regression.crossed(signs, errors)[0])


def dose_signs(probability: Values, mask: Mask, dose_gy: Values) -> DoseSigns | None:
    """Signs of a mask on its dose, all on one grid (Gy, NaN where nothing was calculated)."""
    measured = np.isfinite(dose_gy)
    p = np.where(measured, probability, 0.0).astype(np.float64)
    inside = mask & measured
    if not inside.any() or not p.any():
        return None
    dose = np.where(measured, dose_gy, 0.0).astype(np.float64)
    mean_gy, weight = float(dose[inside].mean()), float(p.sum())
    return DoseSigns(
        mean_gy=mean_gy,
        shift_gy=abs(float((p * dose).sum()) / weight - mean_gy),
        wobble_gy=float((p * (1.0 - p) * np.abs(dose - mean_gy)).sum()) / weight,
    )


def write_calibration(models_folder: Path, made: Calibration) -> None:
    """Keep a calibration beside the weights it belongs to."""
    write_json(models_folder / made.model_version / CALIBRATION_FILE, made.to_json())


def read_calibration(models_folder: Path, version: str) -> Calibration | None:
    """The calibration of a model version; None without one.

    Raises `UnreadableObjectError` where it is damaged or belongs to another version.
    """
    try:
        found = Calibration.from_json(read_json(models_folder / version / CALIBRATION_FILE))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableObjectError(_damaged(version)) from error
    if found.model_version != version:
        raise UnreadableObjectError(_damaged(version))
    return found


def _damaged(version: str) -> str:
    return (
        f"{CALIBRATION_FILE} of model {version[:12]} cannot be read or belongs to another version; "
        "restore it from the backup, or delete it: predictions then come without an interval."
    )


def _dice_signs(found: Estimates, population: Population) -> list[float]:
    return [
        _log(1.0 - found.expected_dice),
        _log(found.entropy_bits),
        _log(1.0 - found.agreement),
        _log(1.0 - found.steadiness),
        _log(1.0 - found.least_steady),
        _log(1.0 - found.largest_share),
        float(bool(found.cut)),
        max(unusual(found.place, population).values()),
        (found.place.mean_hu or 0.0) / 100.0,
        found.place.lung_share or 0.0,
    ]


def _error_signs(dose: DoseSigns, missing: float) -> list[float]:
    return [_log(dose.shift_gy), _log(dose.wobble_gy), missing]


def _known(found: Estimates, population: Population) -> bool:
    if found.place.volume_cc == 0.0:
        return False
    return all(o.kind != UNKNOWN for o in oddities(found, population, ""))


def _log(value: float) -> float:
    """Trouble multiplies: half as far from a Dice of 1 counts the same at .9 and at .6."""
    return float(np.log(value + _SMALL))


def _missing(known: Sequence[Outcome]) -> Table:
    return np.array([_log(1.0 - o.dice) for o in known])


def _dose_table(known: Sequence[Outcome], made: Calibration) -> tuple[Table, Table]:
    signs, errors = [], []
    for each in known:
        if each.dose is not None and each.dose_error_gy is not None:
            signs.append(made.error_signs(each.estimates, each.dose))
            errors.append(_log(each.dose_error_gy))
    return np.array(signs).reshape(-1, 3), np.array(errors)


def _within(interval: Interval, least: float, most: float) -> Interval:
    value, low, high = (
        float(np.clip(v, least, most)) for v in (interval.value, interval.low, interval.high)
    )
    return Interval(value, low, high)
