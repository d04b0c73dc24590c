"""Outcomes made of random numbers: how far expectations are off is known beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.calibration import DoseSigns, Outcome
from model.uncertainty import Estimates, Place

SURE = Estimates(
    expected_dice=0.93,
    entropy_bits=0.5,
    agreement=0.9,
    steadiness=0.95,
    least_steady=0.93,
    largest_share=1.0,
    cut=(),
    fills_box=False,
    place=Place(600.0, 20.0, -20.0, 0.3, 30.0),
)


def estimates(rng: np.random.Generator, *, trouble: float = 0.0) -> Estimates:
    """A prediction whose figures fall with `trouble`, 0..1, in a place like all others."""
    place = Place(
        volume_cc=float(600.0 * np.exp(rng.normal(0.0, 0.2))),
        left_mm=float(rng.normal(20.0, 6.0)),
        back_mm=float(rng.normal(-20.0, 6.0)),
        lung_share=float(rng.normal(0.3, 0.04)),
        mean_hu=float(rng.normal(30.0, 10.0)),
    )
    return replace(
        SURE,
        expected_dice=0.95 - 0.2 * trouble,
        agreement=0.95 - 0.3 * trouble,
        steadiness=0.97 - 0.2 * trouble,
        least_steady=0.95 - 0.3 * trouble,
        entropy_bits=0.4 + trouble,
        place=place,
    )


def outcomes(
    rng: np.random.Generator, count: int, *, worse_by: float = 0.0, more_gy: float = 1.0
) -> list[Outcome]:
    """Dice falls with trouble, with a spread that grows; `worse_by` shifts it for all.

    The mean dose error is the wobble times a random factor, times `more_gy`.
    """
    found = []
    for _ in range(count):
        trouble = float(rng.random())
        dice = 0.94 - 0.25 * trouble + rng.normal(0.0, 0.01 + 0.05 * trouble) - worse_by
        known = estimates(rng, trouble=trouble)
        dose = DoseSigns(5.0, 0.05, 0.2 + trouble)
        found.append(
            Outcome(
                estimates=known,
                dice=float(np.clip(dice, 0.0, 1.0)),
                truth=known.place,
                dose=dose,
                dose_error_gy=float(dose.wobble_gy * rng.lognormal(0.0, 0.5) * more_gy),
            )
        )
    return found
