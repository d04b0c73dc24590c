"""The structure a released model proposes on a CT, and how sure it is."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from core.config import ModelSettings
from core.geometry import Mask, VolumeGeometry
from core.resample import working_grid
from core.volume import Volume
from model.cascade import Found, Run, find, loaded_cascade
from model.engines import run_of
from model.postprocess import postprocessed
from model.preprocess import Values, mask_on_ct, tissue_in, tissue_on_working_grid
from model.registry import LoadedModel, NetworkConfig


@dataclass(frozen=True, slots=True)
class Prediction:
    """A proposed mask on the CT grid, possibly empty.

    `expected_dice` is the Dice the network itself expects of its mask, 0..1 (0 when empty);
    `probability_mean` the mean probability inside it.
    """

    mask: Mask
    expected_dice: float
    probability_mean: float
    seconds: float


class Predictor:
    """Predicts with released models; keeps the networks of the last version in memory."""

    def __init__(self, settings: ModelSettings) -> None:
        torch.set_num_threads(settings.threads)
        self._settings = settings
        self.device = choose_device(settings)
        self._version: str | None = None
        self._run: Run | None = None

    def predict(self, volume: Volume, model: LoadedModel) -> Prediction:
        """What `model` proposes on `volume` (HU, canonical).

        The model's own spacings, widths and window count, not today's settings.
        """
        start = time.perf_counter()
        config = model.description.config
        coarse = tissue_on_working_grid(volume, config.coarse.spacing_mm).values
        grid = working_grid(volume.geometry, config.fine.spacing_mm)
        found = find(
            self._run_of(model),
            config,
            coarse,
            lambda box: tissue_in(volume, grid.cut(box)).values,
            grid.shape,
        )
        inside = _finished(config, found.fine > 0.5)
        return Prediction(
            mask=_on_ct(found, config, grid, volume.geometry),
            expected_dice=expected_dice(found.fine, inside),
            probability_mean=float(found.fine[inside].mean()) if inside.any() else 0.0,
            seconds=time.perf_counter() - start,
        )

    def _run_of(self, model: LoadedModel) -> Run:
        if self._run is None or self._version != model.version:
            cascade = loaded_cascade(model.description.config, model.weights, self.device)
            self._run = run_of(cascade, self._settings)
            self._version = model.version
        return self._run


def _on_ct(found: Found, config: NetworkConfig, grid: VolumeGeometry, ct: VolumeGeometry) -> Mask:
    if found.box is None:
        return np.zeros(ct.shape, bool)
    probability = Volume(found.fine, grid.cut(found.box))
    return mask_on_ct(probability, ct, lambda mask: _finished(config, mask))


def _finished(config: NetworkConfig, mask: Mask) -> Mask:
    return postprocessed(mask, keep_largest=config.keep_largest, fill_holes=config.fill_holes)


def expected_dice(probability: Values, inside: Mask) -> float:
    """Dice of the mask `inside` with the truth, if the probabilities are right; 0 when empty.

    2 sum(p in the mask) / (voxels of the mask + sum p).
    """
    total = float(inside.sum()) + float(probability.sum(dtype=np.float64))
    return 2.0 * float(probability[inside].sum(dtype=np.float64)) / total if inside.any() else 0.0


def choose_device(settings: ModelSettings) -> torch.device:
    """The device the settings ask for; `auto` takes CUDA where there is one."""
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(settings.device)
