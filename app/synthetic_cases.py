"""Synthetic patients as the network learns them: drawn once, then read from the data folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.phantom import make_phantom
from core.config import ModelSettings
from core.files import read_array, write_array
from model.preprocess import Values, mask_to_working_grid, tissue_on_working_grid
from model.samples import TrainingCase

# Synthetic patients that are learned, and others that only measure.
FIRST_SEED, FIRST_SENTINEL_SEED = 5_000, 900_000
SENTINELS = 6
MOST_REPLAYED = 24
_FOLDER = "training/synthetic"


def synthetic_case(data_folder: Path, model: ModelSettings, seed: int) -> TrainingCase:
    """One synthetic patient on the working grid; every voxel of it is known."""
    path = _path(data_folder, model, seed)
    try:
        image, target = read_array(path)
    except (OSError, ValueError, EOFError):
        write_array(path, np.stack(_drawn(seed, model)))
        image, target = read_array(path)
    name = f"synthetic-{seed}"
    weight = np.ones(target.shape, np.float32)
    return TrainingCase(name, name, image, target > 0.5, weight, model.spacing_mm)


def sentinel_cases(data_folder: Path, model: ModelSettings) -> list[TrainingCase]:
    """The synthetic patients nobody learns from: the same for ever, a model must not lose them."""
    seeds = range(FIRST_SENTINEL_SEED, FIRST_SENTINEL_SEED + SENTINELS)
    return [synthetic_case(data_folder, model, seed) for seed in seeds]


def replayed_cases(data_folder: Path, model: ModelSettings) -> list[TrainingCase]:
    """Synthetic patients that a starting model learned from here; none where none was built."""
    seeds = range(FIRST_SEED, FIRST_SEED + MOST_REPLAYED)
    known = [seed for seed in seeds if _path(data_folder, model, seed).is_file()]
    return [synthetic_case(data_folder, model, seed) for seed in known]


def _path(data_folder: Path, model: ModelSettings, seed: int) -> Path:
    spacing = "x".join(f"{mm:g}" for mm in model.spacing_mm)
    return data_folder / _FOLDER / f"{seed}.{spacing}.npy"


def _drawn(seed: int, model: ModelSettings) -> tuple[Values, Values]:
    phantom = make_phantom(seed, spacing_mm=model.spacing_mm)
    tissue = tissue_on_working_grid(phantom.volume, model.spacing_mm).values
    heart = mask_to_working_grid(phantom.heart, phantom.volume.geometry, model.spacing_mm)
    return tissue, heart.astype(np.float32)
