"""Figures of a DVH by the names that protocols write: D95%, D2cc, V20Gy, gEUD8."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import UnknownMetricError
from dose.dvh import Dvh

_NUMBER = r"(\d+(?:\.\d+)?)"
_FORMS = {
    "dose at volume": re.compile(rf"D{_NUMBER}(%|cc)"),
    "volume at dose": re.compile(rf"V{_NUMBER}Gy(%|cc)?"),
    "equivalent": re.compile(r"gEUD(-?\d+(?:\.\d+)?)"),
}
PLAIN = ("mean", "median", "min", "max")


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure: its name as written, its unit (Gy, % or cc), its value.

    None where the covered part of the structure does not say.
    """

    name: str
    unit: str
    value: float | None


def metric(dvh: Dvh, name: str) -> Metric:
    """The figure `name` of `dvh`.

    mean, median, min, max; D95% and D2cc: the dose in Gy that so much receives at least; V20Gy and
    V20Gycc: the part in % or the volume in cc that receives at least so much; gEUD8: the
    generalised equivalent uniform dose in Gy with a = 8. Relative volumes are parts of what the
    dose grid covers. Raises `UnknownMetricError` for any other name.
    """
    if name in PLAIN:
        return Metric(name, "Gy", _plain(dvh, name))
    if found := _FORMS["dose at volume"].fullmatch(name):
        size = float(found[1])
        if found[2] == "cc":
            return Metric(name, "Gy", dvh.dose_at_volume_cc_gy(size))
        if size <= 100.0:
            return Metric(name, "Gy", dvh.dose_at_volume_gy(size))
    if found := _FORMS["volume at dose"].fullmatch(name):
        volume_cc = dvh.volume_at_dose_cc(float(found[1]))
        if found[2] == "cc":
            return Metric(name, "cc", volume_cc if dvh.volume_cc else None)
        return Metric(name, "%", 100.0 * volume_cc / dvh.volume_cc if dvh.volume_cc else None)
    found = _FORMS["equivalent"].fullmatch(name)
    if found and float(found[1]):
        return Metric(name, "Gy", dvh.generalised_eud_gy(float(found[1])))
    raise UnknownMetricError(
        f"{name!r} is no figure of a DVH; expected one like mean, median, min, max, D95%, D2cc, "
        "V20Gy, V20Gycc, gEUD8. Write it without blanks."
    )


def _plain(dvh: Dvh, name: str) -> float | None:
    if name == "mean":
        return dvh.mean_gy()
    return dvh.dose_at_volume_gy({"median": 50.0, "min": 100.0, "max": 0.0}[name])
