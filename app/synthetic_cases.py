"""Synthetic patients as the network learns them: drawn once, then read from the data folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.phantom import EDITION, Phantom, make_phantom
from app.phantom_scan import View
from core.config import ModelSettings
from core.structures import is_drawn
from model.preprocess import mask_to_working_grid, tissue_on_working_grid
from model.samples import Sample, TrainingCase, has_samples, read_samples, write_samples

# Synthetic patients that are learned, and others that only measure.
FIRST_SEED, FIRST_SENTINEL_SEED = 5_000, 900_000
# With six of them a model was released that had lost one heart in thirty (docs/adr/0023).
SENTINELS = 24
MOST_REPLAYED = 24
# How often a synthetic patient is scanned so: some scans end within the heart, some have none.
VIEWS: dict[View, float] = {
    "chest": 0.78,
    "heart_cut_above": 0.06,
    "heart_cut_below": 0.06,
    "abdomen": 0.07,
    "neck": 0.03,
}
_FOLDER = f"training/synthetic/edition{EDITION}"


def synthetic_case(data_folder: Path, model: ModelSettings, seed: int) -> TrainingCase:
    """One synthetic patient on the working grids; every voxel of it is known."""
    folder, name = data_folder / _FOLDER, f"synthetic-{seed}"
    try:
        coarse, fine = read_samples(folder, name, model)
    except (OSError, ValueError, EOFError):
        write_samples(folder, name, model, _drawn(name, seed, model))
        coarse, fine = read_samples(folder, name, model)
    return TrainingCase(name, name, coarse, fine, kept_as=f"synthetic/{name}")


def view_of(seed: int) -> View:
    """What the scan of a synthetic patient shows; the sentinels' shows the whole chest."""
    if seed >= FIRST_SENTINEL_SEED:
        return "chest"
    rng = np.random.default_rng([seed, 3])
    return list(VIEWS)[int(rng.choice(len(VIEWS), p=list(VIEWS.values())))]


def sentinel_cases(
    data_folder: Path, model: ModelSettings, count: int = SENTINELS
) -> list[TrainingCase]:
    """The synthetic patients nobody learns from: the same for ever, a model must not lose them."""
    seeds = range(FIRST_SENTINEL_SEED, FIRST_SENTINEL_SEED + count)
    return [synthetic_case(data_folder, model, seed) for seed in seeds]


def replayed_for(roi_name: str, data_folder: Path, model: ModelSettings) -> list[TrainingCase]:
    """Those of `replayed_cases` that teach this structure: what is drawn on them is the heart."""
    return replayed_cases(data_folder, model) if is_drawn(roi_name) else []


def replayed_cases(data_folder: Path, model: ModelSettings) -> list[TrainingCase]:
    """Synthetic patients that a starting model learned from here; none where none was built."""
    folder = data_folder / _FOLDER
    seeds = range(FIRST_SEED, FIRST_SEED + MOST_REPLAYED)
    known = [s for s in seeds if has_samples(folder, f"synthetic-{s}", model)]
    return [synthetic_case(data_folder, model, seed) for seed in known]


def _drawn(name: str, seed: int, model: ModelSettings) -> TrainingCase:
    phantom = make_phantom(seed, spacing_mm=model.fine.spacing_mm, view=view_of(seed))
    coarse, fine = (_sample(phantom, stage.spacing_mm) for stage in (model.coarse, model.fine))
    return TrainingCase(name, name, coarse, fine)


def _sample(phantom: Phantom, spacing_mm: tuple[float, float, float]) -> Sample:
    tissue = tissue_on_working_grid(phantom.volume, spacing_mm).values
    heart = mask_to_working_grid(phantom.heart, phantom.volume.geometry, spacing_mm)
    return Sample.of(tissue, heart, np.ones(heart.shape, np.float32), spacing_mm)
