"""What is odd about a prediction, in sentences, before anybody has looked at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.suspicion import LEAST_SPREAD_LOG_VOLUME, LEAST_SPREAD_MM, MINIMUM, OUTLIER_Z
from model.uncertainty import Estimates, Place

NOTHING, CUT, UNKNOWN = "nothing", "cut", "unknown"
"""Nothing was found; the scan ends within it; unlike all that the model was seen with."""
LEAST_AGREEMENT = 0.5
MOST_Z = 8.0
# Contrast medium makes hearts of two kinds; no spread tells how bright the brighter ones may be.
MOST_ENHANCED_HU = 500.0

# What is compared with the population: name of the value, the least spread (MAD) patients have.
_SPREADS = {
    "log_volume": LEAST_SPREAD_LOG_VOLUME,
    "left_mm": LEAST_SPREAD_MM,
    "back_mm": LEAST_SPREAD_MM,
    "lung_share": 0.03,
    "mean_hu": 25.0,
}


@dataclass(frozen=True, slots=True)
class Usual:
    """Median and median absolute deviation of a value, and of how many structures."""

    median: float
    deviation: float
    count: int


Population = Mapping[str, Usual]
"""What is usual, by the names above."""


@dataclass(frozen=True, slots=True)
class Oddity:
    """One sentence, and of which kind it is."""

    kind: str
    sentence: str


def values_of(place: Place) -> dict[str, float]:
    """The values of a place that are compared with a population; those that are known."""
    values = {
        "log_volume": float(np.log(place.volume_cc)) if place.volume_cc > 0 else None,
        "left_mm": place.left_mm,
        "back_mm": place.back_mm,
        "lung_share": place.lung_share,
        "mean_hu": place.mean_hu,
    }
    return {name: value for name, value in values.items() if value is not None}


def population_of(places: Sequence[Place]) -> dict[str, Usual]:
    """What is usual in `places`, which hold the structure; only values that some of them have."""
    known = [values_of(place) for place in places]
    by_name = {name: np.array([v[name] for v in known if name in v]) for name in _SPREADS}
    return {
        name: Usual(
            float(np.median(values)),
            float(np.median(np.abs(values - np.median(values)))),
            len(values),
        )
        for name, values in by_name.items()
        if len(values)
    }


def unusual(place: Place, population: Population) -> dict[str, float]:
    """Robust z of each value of `place` in `population`, at most 8; 0 where too few are known."""
    values = values_of(place)
    found = dict.fromkeys(_SPREADS, 0.0)
    for name, least in _SPREADS.items():
        usual = population.get(name)
        if usual is not None and usual.count >= MINIMUM and name in values:
            if name == "mean_hu" and usual.median < values[name] <= MOST_ENHANCED_HU:
                continue
            z = 0.6745 * abs(values[name] - usual.median) / max(usual.deviation, least)
            found[name] = min(z, MOST_Z)
    return found


def oddities(found: Estimates, population: Population, roi_name: str) -> list[Oddity]:
    """What somebody should know before they look; nothing where nothing is odd."""
    if found.place.volume_cc == 0.0:
        return [Oddity(NOTHING, f"No {roi_name} was found in this scan.")]
    return [
        *(Oddity(CUT, _cut(roi_name, end)) for end in found.cut),
        *(Oddity(UNKNOWN, sentence) for sentence in _unknown(found, population, roi_name)),
    ]


def _cut(roi_name: str, end: str) -> str:
    return f"{roi_name} reaches the {end} end of the scan; it may be cut off there."


def _unknown(found: Estimates, population: Population, roi_name: str) -> Iterator[str]:
    z, place = unusual(found.place, population), found.place
    odd = {name for name, value in z.items() if value > OUTLIER_Z}
    learned = "outside of what the model was seen with"
    if "log_volume" in odd:
        usual = float(np.exp(population["log_volume"].median))
        yield f"{roi_name} has {place.volume_cc:.0f} cc instead of about {usual:.0f} cc: {learned}."
    for name, words in (("left_mm", ("left", "right")), ("back_mm", ("back", "front"))):
        if name in odd:
            away = values_of(place)[name] - population[name].median
            side = words[0] if away > 0 else words[1]
            yield f"{roi_name} lies {abs(away):.0f} mm too far to the {side}: {learned}."
    if "lung_share" in odd:
        yield f"{place.lung_share:.0%} of what surrounds {roi_name} is lung: {learned}."
    if "mean_hu" in odd:
        yield f"{roi_name} has a mean of {place.mean_hu:.0f} HU: {learned}."
    if found.agreement < LEAST_AGREEMENT:
        yield f"The two networks disagree on {roi_name} (Dice {found.agreement:.2f})."
    if found.fills_box:
        yield f"{roi_name} goes on beyond the part of the scan that the fine network was shown."
