"""Many doses as the few steps of a curve, without sorting them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doses = npt.NDArray[np.float64]

# Of more voxels than this, those within so small a part of the range of doses count as one.
STEPS = 1 << 16
# Unless they are more than this part of the volume: V at a dose among them would jump by as much.
_HEAVY = 1e-3
# Doses that differ by no more than this part of their range are one dose, written differently.
_SAME = 1e-12


def steps_of(values_gy: Doses, volumes_cc: Doses) -> tuple[Doses, Doses]:
    """Doses in Gy ascending and the volume in cc of each, where doses that hardly differ are one.

    `values_gy` and `volumes_cc` (n,) in any order; `STEPS` says when doses hardly differ. Sorting a
    large structure takes longer than everything else that is done with it. A step that would
    hold much of the volume, as on a plateau, is cut into finer ones; what is heavy even then is one
    dose, or its voxels are sorted.
    """
    lowest, highest = float(values_gy.min()), float(values_gy.max())
    if lowest == highest:
        return np.array([highest]), np.array([volumes_cc.sum()])
    at = (values_gy - lowest) * ((STEPS - 3) / (highest - lowest))
    step = at.astype(np.intp) + 1
    step[values_gy == lowest] = 0
    step[values_gy == highest] = STEPS - 1
    volume = np.bincount(step, volumes_cc, STEPS).astype(np.float64, copy=False)
    heavy = volume > _HEAVY * volume.sum()
    heavy[[0, -1]] = False  # each of one dose
    used = (volume > 0.0) & ~heavy
    dose = np.bincount(step, volumes_cc * values_gy, STEPS)[used] / volume[used]
    dose[0], dose[-1] = lowest, highest
    if not heavy.any():
        return dose, volume[used]
    within = np.flatnonzero(heavy[step])
    step, at = step[within], at[within]
    finer = STEPS // int(heavy.sum())
    part = ((at - np.floor(at)) * finer).astype(np.intp)
    step = (np.cumsum(heavy) - 1)[step] * finer + part
    doses, volumes = _cut(
        values_gy[within],
        volumes_cc[within],
        step,
        heavy_cc=_HEAVY * float(volume.sum()),
        same_gy=_SAME * (highest - lowest),
    )
    return _ascending([dose, doses], [volume[used], volumes])


def _cut(
    values_gy: Doses,
    volumes_cc: Doses,
    step: npt.NDArray[np.intp],
    *,
    heavy_cc: float,
    same_gy: float,
) -> tuple[Doses, Doses]:
    """Steps of at most `heavy_cc`; what is more has one dose, within `same_gy`, or is sorted."""
    volume = np.bincount(step, volumes_cc, STEPS).astype(np.float64, copy=False)
    low, high = np.full(STEPS, np.inf), np.full(STEPS, -np.inf)
    np.minimum.at(low, step, values_gy)
    np.maximum.at(high, step, values_gy)
    one = high - low <= same_gy
    alone = (volume > heavy_cc) & ~one
    used = (volume > 0.0) & ~alone
    mean = np.bincount(step, volumes_cc * values_gy, STEPS)[used] / volume[used]
    # What is one dose keeps it: a mean may lie below it in its last digit, and V at it be without.
    dose = np.where(one[used], high[used], mean)
    sorted_ones = np.flatnonzero(alone[step])
    return _ascending([dose, values_gy[sorted_ones]], [volume[used], volumes_cc[sorted_ones]])


def _ascending(doses_gy: list[Doses], volumes_cc: list[Doses]) -> tuple[Doses, Doses]:
    dose, volume = np.concatenate(doses_gy), np.concatenate(volumes_cc)
    order = np.argsort(dose, kind="stable")  # quick where parts of it are in order
    return dose[order], volume[order]
