"""Synthetic patients on whom a model may fail: what its expectations are measured on.

Nobody learns from them. About half are as drawn; the others are spoilt in one way each, so that
good and bad predictions both occur. Spoilt are pictures, never the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from scipy import ndimage

from app.phantom import Phantom, make_phantom, phantom_dose
from core.config import ModelSettings
from core.geometry import Box
from core.resample import resample, working_grid
from core.volume import Volume, hounsfield
from model.preprocess import Values, mask_to_working_grid, tissue_on_working_grid
from model.samples import Sample, TrainingCase

# Far from the synthetic patients that are learned and from the sentinels.
FIRST_CALIBRATION_SEED, FIRST_MEASURED_SEED = 600_000, 810_000
AS_DRAWN = 0.5
TUMOUR_SHARE = 0.3


def odd_patients(first_seed: int, count: int, model: ModelSettings) -> Iterator[TrainingCase]:
    """`count` patients on the working grids of `model`, with a synthetic dose each."""
    for seed in range(first_seed, first_seed + count):
        yield odd_patient(seed, model)


def odd_patient(seed: int, model: ModelSettings) -> TrainingCase:
    """The patient of `seed`; the same one every time."""
    rng = np.random.default_rng([seed, 4])
    tumour = True if rng.random() < TUMOUR_SHARE else None
    phantom = make_phantom(seed, spacing_mm=model.fine.spacing_mm, tumour=tumour)
    dose = phantom_dose(phantom)
    name = "as drawn"
    if rng.random() >= AS_DRAWN:
        name = str(rng.choice(list(SPOILT)))
        phantom = SPOILT[name](phantom, rng)
    coarse, fine = (
        _sample(phantom, dose, stage.spacing_mm) for stage in (model.coarse, model.fine)
    )
    return TrainingCase(f"{seed} {name}", f"synthetic-{seed}", coarse, fine)


def _sample(phantom: Phantom, dose: Volume, spacing_mm: tuple[float, float, float]) -> Sample:
    tissue = tissue_on_working_grid(phantom.volume, spacing_mm).values
    ct = phantom.volume.geometry
    heart = mask_to_working_grid(phantom.heart, ct, spacing_mm)
    gray = resample(dose, working_grid(ct, spacing_mm), outside=-1.0).values
    ones = np.ones(heart.shape, np.float32)
    return Sample.of(tissue, heart, ones, spacing_mm, np.where(gray < 0, np.nan, gray))


def _noisy(phantom: Phantom, rng: np.random.Generator) -> Phantom:
    noise = rng.standard_normal(phantom.heart.shape, dtype=np.float32)
    return _with(phantom, _hu(phantom) + noise * np.float32(rng.uniform(50, 220)))


def _blurred(phantom: Phantom, rng: np.random.Generator) -> Phantom:
    return _with(phantom, ndimage.gaussian_filter(_hu(phantom), rng.uniform(1.0, 3.5)))


def _brighter(phantom: Phantom, rng: np.random.Generator) -> Phantom:
    return _with(phantom, _hu(phantom) + np.float32(rng.choice([-1, 1]) * rng.uniform(40, 150)))


def _streaked(phantom: Phantom, rng: np.random.Generator) -> Phantom:
    """Dark and bright rays from a piece of metal near the heart."""
    z, y, x = _from(phantom, _beside_heart(phantom, rng, 40.0))
    rays = np.sin(np.arctan2(y, x) * rng.integers(5, 12) + rng.uniform(0, 6))
    fall = np.exp(-np.abs(z) / rng.uniform(15, 60)) * np.exp(-np.hypot(y, x) / 120.0)
    return _with(phantom, _hu(phantom) + (rng.uniform(150, 600) * rays * fall).astype(np.float32))


def _opaque(phantom: Phantom, rng: np.random.Generator) -> Phantom:
    """Lung beside the heart as dense as the heart: a collapse, a large tumour."""
    z, y, x = _from(phantom, _beside_heart(phantom, rng, 60.0))
    ball = np.sqrt(z**2 + y**2 + x**2) < rng.uniform(30, 75)
    hu = _hu(phantom)
    lung = ball & (hu < -400) & (hu > -1000)
    return _with(phantom, np.where(lung, np.float32(rng.uniform(20, 60)), hu))


def _cut(phantom: Phantom, rng: np.random.Generator) -> Phantom:
    """The scan ends within the heart, above or below."""
    slices = np.flatnonzero(phantom.heart.any(axis=(1, 2)))
    at = int(slices[0] + rng.uniform(0.2, 0.8) * len(slices))
    kept = slice(at, None) if rng.random() < 0.5 else slice(0, at)
    box: Box = (slice(*kept.indices(len(phantom.heart))), *_planes(phantom))
    volume = Volume(phantom.volume.values[box], phantom.volume.geometry.cut(box))
    return replace(phantom, volume=volume, heart=phantom.heart[box])


SPOILT: dict[str, Callable[[Phantom, np.random.Generator], Phantom]] = {
    "noisy": _noisy,
    "blurred": _blurred,
    "brighter or darker": _brighter,
    "streaks": _streaked,
    "opaque lung": _opaque,
    "cut": _cut,
}


def _planes(phantom: Phantom) -> tuple[slice, slice]:
    _, rows, columns = phantom.heart.shape
    return slice(0, rows), slice(0, columns)


def _hu(phantom: Phantom) -> Values:
    return phantom.volume.values.astype(np.float32)


def _with(phantom: Phantom, hu: Values) -> Phantom:
    values = hounsfield(np.clip(hu, -1024, 1500))
    return replace(phantom, volume=Volume(values, phantom.volume.geometry))


def _beside_heart(phantom: Phantom, rng: np.random.Generator, away_mm: float) -> Values:
    """A point (slice, row, column) some way from the heart's centre."""
    centre = np.argwhere(phantom.heart).mean(0)
    away = rng.normal(0.0, away_mm, 3) / np.asarray(phantom.volume.geometry.spacing_mm)
    return np.asarray(centre + away, np.float32)


def _from(phantom: Phantom, point: Values) -> list[Values]:
    """Distances in mm from `point` along (slice, row, column), broadcastable."""
    spacing, shape = phantom.volume.geometry.spacing_mm, phantom.heart.shape
    axes = [
        ((np.arange(n) - p) * mm).astype(np.float32)
        for n, p, mm in zip(shape, point, spacing, strict=True)
    ]
    return list(np.meshgrid(*axes, indexing="ij", sparse=True))
