"""Which settings keep the bars that were set for dose figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.commissioning.bodies import Truth

BAR_GRID_MM = 2.5
SMALL = "ball 5 mm"
# Of the mean for all bodies on dose grids of at most BAR_GRID_MM; of V for the heart, on every
# grid; of the volume for the bodies of 20 mm and more, and for the small one.
BARS = {"mean %": 0.1, "heart V pp": 0.3, "volume %": 0.2, "volume of 5 mm %": 1.0}


@dataclass(frozen=True, slots=True)
class Errors:
    """Of one figure of one program: mean and volume in %, V in percentage points."""

    mean: float
    percent: float | None
    volume: float | None

    @classmethod
    def of(cls, truth: Truth, mean_gy: float, percent: float, volume_cc: float | None) -> Errors:
        """Found minus true."""
        volume = None if volume_cc is None else 100.0 * (volume_cc / truth.volume_cc - 1.0)
        return cls(100.0 * (mean_gy / truth.mean_gy - 1.0), percent - truth.percent, volume)


# body, dose, slice in mm, grid in mm, draw
Key = tuple[str, str, float, float, int]
# errors by program
Found = dict[Key, dict[str, Errors]]


def verdict(found: Found, settings: tuple[str, ...], *, claimed: str) -> dict[str, Any]:
    """Each setting's largest errors and whether it keeps every bar; `holds` is of `claimed`."""
    worst = {setting: _worst(found, setting) for setting in settings}
    holds = {
        setting: all(errors[name] <= bar for name, bar in BARS.items())
        for setting, errors in worst.items()
    }
    return {
        "bars": BARS,
        "worst": {
            setting: {name: round(value, 4) for name, value in errors.items()}
            for setting, errors in worst.items()
        },
        "mean % by dose": {
            dose: {setting: round(_worst_mean(found, setting, dose), 4) for setting in settings}
            for dose in sorted({key[1] for key in found})
        },
        "setting_holds": holds,
        "claim": f"{claimed} keeps every bar",
        "default_holds": holds[settings[0]],
        "holds": holds[claimed],
    }


def _worst_mean(found: Found, setting: str, dose: str) -> float:
    return max(
        abs(by_program[setting].mean)
        for key, by_program in found.items()
        if key[1] == dose and key[3] <= BAR_GRID_MM
    )


def _worst(found: Found, setting: str) -> dict[str, float]:
    of = {key: by_program[setting] for key, by_program in found.items()}
    return {
        "mean %": max(abs(e.mean) for key, e in of.items() if key[3] <= BAR_GRID_MM),
        "heart V pp": max(abs(e.percent or 0.0) for key, e in of.items() if key[0] == "heart"),
        "volume %": max(abs(e.volume or 0.0) for key, e in of.items() if key[0] != SMALL),
        "volume of 5 mm %": max(abs(e.volume or 0.0) for key, e in of.items() if key[0] == SMALL),
    }
