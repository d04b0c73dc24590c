"""Who is on the couch: the numbers of one synthetic patient, and what is found in him (mm, HU)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from app.phantom_canvas import Matrix, rotation
from app.phantom_contrast import Contrast, Phase, draw_contrast

Finding = Literal[
    "pericardial effusion",
    "pleural effusion",
    "opacity",
    "hiatal hernia",
    "high diaphragm",
    "emphysema",
    "breath hold",
    "aged",
    "obese",
    "thin",
    "mastectomy",
    "implant",
    "expander",
    "pacemaker",
    "sternal wires",
    "motion",
]
FINDINGS: tuple[Finding, ...] = get_args(Finding)
# How often each is drawn; much more often than in a clinic, so that few patients show them all.
_SHARES = (0.14, 0.25, 0.28, 0.08, 0.10, 0.15, 0.22, 0.28, 0.18, 0.15, 0.12, 0.08, 0.08, 0.08)
_SHARE_OF = dict(zip(FINDINGS, (*_SHARES, 0.08, 0.35), strict=True))
# Of two that exclude each other the first one stays.
_EXCLUSIVE = (("obese", "thin"), ("high diaphragm", "breath hold"), ("implant", "expander"))


@dataclass(frozen=True, slots=True)
class Patient:
    """The numbers drawn for one synthetic patient; lengths in mm about the heart's centre."""

    findings: frozenset[Finding]
    tumour: bool
    contrast: Contrast
    size: float
    fat_mm: float
    half_width_mm: float
    half_depth_mm: float
    apex_mm: float
    arms_up: bool
    heart_mm: Matrix
    heart_scale: Matrix
    heart_turn: Matrix
    heart_top_mm: float
    fork_mm: float
    arch_mm: float
    heart_floor_mm: float
    outer_fat_mm: float
    inner_fat_mm: float
    fluid_mm: float
    fat_hu: float
    muscle_hu: float
    between_hu: float

    def in_heart(self, x: float, y: float, z: float) -> Matrix:
        """Where a point of the standard heart (mm) lies in this patient."""
        moved = self.heart_turn @ (np.array([x, y, z]) * self.heart_scale)
        return np.asarray(self.heart_mm + moved)

    @property
    def scale(self) -> float:
        """The heart's size against the standard heart, one number."""
        return float(np.cbrt(np.prod(self.heart_scale)))

    @property
    def spine_mm(self) -> float:
        """How far behind the heart's centre the middle of the vertebrae lies."""
        return self.half_depth_mm * 0.56

    def has(self, finding: Finding) -> bool:
        """Whether `finding` was drawn."""
        return finding in self.findings


def draw_patient(
    rng: np.random.Generator,
    *,
    tumour: bool | None,
    contrast: bool | Phase | None,
    findings: Collection[Finding] | None,
) -> Patient:
    """A random patient; what is None is drawn."""
    found = _draw_findings(rng, findings)
    uniform = rng.uniform
    aged, thin, obese = ("aged" in found), ("thin" in found), ("obese" in found)
    size = uniform(0.88, 1.12)
    usual, little, much = uniform(8, 28), uniform(1.5, 6), uniform(30, 55)
    tumour_draw, arms_draw = rng.random(2)
    depth = uniform(86, 120) * size * (1.08 if "emphysema" in found else 1.0)
    scale = size * uniform(0.92, 1.17) * uniform(0.93, 1.07, 3)
    scale *= uniform(1.0, 1.18) if aged else uniform(0.94, 1.04)
    scale *= (0.94, 0.97, 1.07) if "breath hold" in found or "emphysema" in found else (1, 1, 1)
    scale *= (1.05, 1.0, 0.94) if obese or "high diaphragm" in found else (1, 1, 1)
    scale *= min(1.0, 1.2 / float(np.cbrt(np.prod(scale))))
    # The heart lies behind the breastbone, whatever the depth of the chest.
    ahead = -depth + 53 * scale[1] + uniform(0, 16)
    heart = np.array([uniform(8, 28), ahead, uniform(-6, 6)])
    top = float(heart[2] + 49 * scale[2] + uniform(-5, 8))
    fork = top + uniform(5, 15)
    outer, much_outer, between = uniform(0.5, 6), uniform(5, 16), uniform(0, 1)
    fat_hu, muscle_hu = uniform(-122, -88), uniform(38, 66)
    inner, fluid = uniform(0.2, 1.6) * (0.4 if thin else 1.0), uniform(4, 18)
    turns = uniform((-0.22, -0.25, -0.30), (0.22, 0.30, 0.30))
    return Patient(
        findings=found,
        tumour=bool(tumour_draw < 0.25) if tumour is None else tumour,
        contrast=draw_contrast(rng, contrast),
        size=size,
        fat_mm=little if thin else much if obese else usual,
        half_width_mm=uniform(118, 152) * size,
        half_depth_mm=depth,
        apex_mm=fork + 92 * size + uniform(-8, 22),
        arms_up=bool(arms_draw < 0.78),
        heart_mm=heart,
        heart_scale=scale,
        heart_turn=rotation(*turns),
        # The cranial border is a convention (below the pulmonary artery), not an edge in HU.
        heart_top_mm=top,
        fork_mm=fork,
        arch_mm=fork + uniform(34, 52) * size,
        heart_floor_mm=float(heart[2] - uniform(33, 43) * scale[2]),
        outer_fat_mm=0.4 * outer if thin else much_outer if obese else outer,
        inner_fat_mm=inner + (uniform(1, 3.5) if obese or aged else 0),
        fluid_mm=fluid if "pericardial effusion" in found else 0.0,
        fat_hu=fat_hu,
        muscle_hu=muscle_hu - (12 if aged else 0),
        # What lies between the organs of the mediastinum: fat, or much that is not.
        between_hu=fat_hu + (20 + 95 * between if thin else 60 * between**2),
    )


def _draw_findings(
    rng: np.random.Generator, wanted: Collection[Finding] | None
) -> frozenset[Finding]:
    draws = rng.random(len(FINDINGS))
    if wanted is not None:
        unknown = set(wanted) - set(FINDINGS)
        if unknown:
            raise ValueError(f"unknown findings {sorted(unknown)}; there are {list(FINDINGS)}")
        return frozenset(wanted)
    found = {name for name, draw in zip(FINDINGS, draws, strict=True) if draw < _SHARE_OF[name]}
    return frozenset(found - {later for first, later in _EXCLUSIVE if first in found})
