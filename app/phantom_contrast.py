"""How bright blood and organs are: without contrast medium and in four phases after it, in HU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Phase = Literal["none", "pulmonary", "arterial", "venous", "late"]
PHASES: tuple[Phase, ...] = get_args(Phase)
# Of patients with contrast medium; planning CTs and portal venous CTs are the most frequent.
_OFTEN = {"pulmonary": 0.18, "arterial": 0.27, "venous": 0.37, "late": 0.18}

# Ranges in HU, from textbooks of CT: left heart and aorta, right heart and pulmonary artery, upper
# and lower vena cava, myocardium, liver, spleen, kidney.
_NAMES = ("left", "right", "upper_cava", "lower_cava", "muscle", "liver", "spleen", "kidney")
_RANGES: dict[Phase, tuple[tuple[float, float], ...]] = {
    "none": ((28, 56), (28, 56), (28, 56), (28, 56), (34, 58), (38, 68), (40, 58), (26, 42)),
    "pulmonary": (
        (90, 320), (240, 560), (300, 1100), (40, 110), (55, 90), (45, 75), (50, 90), (40, 110),
    ),
    "arterial": (
        (220, 470), (120, 400), (110, 600), (45, 120), (70, 130), (52, 85), (80, 150), (100, 200),
    ),
    "venous": (
        (115, 200), (110, 190), (110, 210), (90, 170), (80, 130), (85, 135), (100, 145), (140, 220),
    ),
    "late": (
        (75, 120), (75, 120), (75, 120), (75, 120), (65, 100), (70, 105), (75, 110), (110, 190),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contrast:
    """The phase, and what each tissue shows in it (HU)."""

    phase: Phase
    left_hu: float
    right_hu: float
    upper_cava_hu: float
    lower_cava_hu: float
    muscle_hu: float
    liver_hu: float
    spleen_hu: float
    kidney_hu: float


def draw_contrast(rng: np.random.Generator, contrast: bool | Phase | None) -> Contrast:
    """A random phase: `contrast` names it, or says whether there is contrast medium at all."""
    with_medium, which, fatty, less = rng.random(4)
    shares = rng.random(len(_NAMES))
    if isinstance(contrast, str):
        phase = contrast
    elif contrast or (contrast is None and with_medium < 0.5):
        phase = PHASES[1 + int(np.searchsorted(np.cumsum(list(_OFTEN.values()))[:-1], which))]
    else:
        phase = "none"
    drawn = {
        f"{name}_hu": float(low + share * (high - low))
        for name, share, (low, high) in zip(_NAMES, shares, _RANGES[phase], strict=True)
    }
    if phase in ("none", "venous", "late"):
        # Blood has mixed: both sides and the lower vena cava differ by little.
        drawn["right_hu"] = drawn["left_hu"] + (drawn["right_hu"] - drawn["left_hu"]) * 0.25
        drawn["lower_cava_hu"] = drawn["left_hu"] * (0.8 + 0.25 * shares[3])
    if phase == "none":
        drawn["right_hu"] = drawn["upper_cava_hu"] = drawn["lower_cava_hu"] = drawn["left_hu"]
    if fatty < 0.2:
        drawn["liver_hu"] -= 15 + 45 * float(less)
    return Contrast(phase, **drawn)
