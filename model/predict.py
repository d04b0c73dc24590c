"""The structure a released model proposes on a CT, and how sure it is."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from core.boxed import Boxed
from core.config import ModelSettings
from core.geometry import Box, Mask, VolumeGeometry
from core.resample import resample, working_grid
from core.volume import Volume
from model.cascade import Found, Run, find, loaded_cascade
from model.engines import run_of
from model.postprocess import postprocessed
from model.preprocess import Values, box_on, mask_on_ct, tissue_in, tissue_on_working_grid
from model.registry import LoadedModel, NetworkConfig
from model.uncertainty import Estimates, doubted, expected_dice

# Below it a voxel is not worth a byte.
LEAST_PROBABILITY = 0.02


@dataclass(frozen=True, slots=True)
class Prediction:
    """A proposed mask on the CT grid, possibly empty.

    `expected_dice` is the Dice the network itself expects of its mask, 0..1 (0 when empty);
    `probability_mean` the mean probability inside it. Where doubts were asked for, `estimates` say
    what the prediction gives away about itself, and `probability` how probable the structure is in
    each voxel (in 1/255, averaged over variants).
    """

    mask: Mask
    expected_dice: float
    probability_mean: float
    seconds: float
    estimates: Estimates | None = None
    probability: Boxed | None = None


class Predictor:
    """Predicts with released models; keeps the networks of the last version in memory."""

    def __init__(self, settings: ModelSettings) -> None:
        torch.set_num_threads(settings.threads)
        self._settings = settings
        self.device = choose_device(settings)
        self._version: str | None = None
        self._run: Run | None = None

    def predict(
        self, volume: Volume, model: LoadedModel, *, with_doubts: bool = False
    ) -> Prediction:
        """What `model` proposes on `volume` (HU, canonical), `with_doubts` about it if asked for.

        The model's own spacings, widths and window count, not today's settings.
        """
        start = time.perf_counter()
        config, run = model.description.config, self._run_of(model)
        coarse = tissue_on_working_grid(volume, config.coarse.spacing_mm).values
        grid = working_grid(volume.geometry, config.fine.spacing_mm)
        shown = [np.zeros((0, 0, 0), np.float32)]

        def fine_hu(box: Box) -> Values:
            shown[0] = tissue_in(volume, grid.cut(box)).values
            return shown[0]

        found = find(run, config, coarse, fine_hu, grid.shape)
        inside = _finished(config, found.fine > 0.5)
        estimates = probability = None
        if with_doubts:
            doubts = doubted(run, config, found, coarse, shown[0], grid.shape)
            estimates = doubts.estimates
            probability = _probability_on_ct(doubts.probability, found, grid, volume.geometry)
        return Prediction(
            mask=_on_ct(found, config, grid, volume.geometry),
            expected_dice=expected_dice(found.fine, inside),
            probability_mean=float(found.fine[inside].mean()) if inside.any() else 0.0,
            seconds=time.perf_counter() - start,
            estimates=estimates,
            probability=probability,
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


def _probability_on_ct(
    probability: Values, found: Found, grid: VolumeGeometry, ct: VolumeGeometry
) -> Boxed:
    worth = np.argwhere(probability > LEAST_PROBABILITY)
    if found.box is None or not len(worth):
        return Boxed(np.zeros((0, 0, 0), np.uint8), (0, 0, 0), ct.shape)
    part = grid.cut(found.box)
    box = box_on(ct, np.array([worth.min(0) - 0.5, worth.max(0) + 0.5]), part)
    values = resample(Volume(probability, part), ct.cut(box), outside=0.0).values
    slices, rows, columns = (b.start for b in box)
    return Boxed(np.rint(values * 255.0).astype(np.uint8), (slices, rows, columns), ct.shape)


def _finished(config: NetworkConfig, mask: Mask) -> Mask:
    return postprocessed(mask, keep_largest=config.keep_largest, fill_holes=config.fill_holes)


def choose_device(settings: ModelSettings) -> torch.device:
    """The device the settings ask for; `auto` takes CUDA where there is one."""
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(settings.device)
