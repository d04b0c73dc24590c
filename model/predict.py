"""The structure a released model proposes on a CT, and how sure it is."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from core.config import ModelSettings
from core.geometry import Mask
from core.volume import Volume
from model.preprocess import Values, largest_component, mask_on_ct, network_input
from model.registry import LoadedModel
from model.unet import UNet


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
    """Predicts with released models; keeps the network of the last version in memory."""

    def __init__(self, settings: ModelSettings) -> None:
        torch.set_num_threads(settings.threads)
        self.device = choose_device(settings)
        self._version: str | None = None
        self._network: UNet | None = None

    def predict(self, volume: Volume, model: LoadedModel) -> Prediction:
        """What `model` proposes on `volume` (HU, canonical).

        The model's own spacing, widths and window count, not today's settings.
        """
        start = time.perf_counter()
        config = model.description.config
        seen = network_input(volume, spacing_mm=config.spacing_mm, window_hu=config.window_hu)
        probability = probabilities(self._network_of(model), seen.values, self.device)
        mask = mask_on_ct(Volume(probability, seen.geometry), volume.geometry)
        inside = largest_component(probability > 0.5)
        return Prediction(
            mask=mask,
            expected_dice=expected_dice(probability, inside),
            probability_mean=float(probability[inside].mean()) if inside.any() else 0.0,
            seconds=time.perf_counter() - start,
        )

    def _network_of(self, model: LoadedModel) -> UNet:
        if self._network is None or self._version != model.version:
            config = model.description.config
            network = UNet(config.widths, structures=config.structures)
            network.load_state_dict(model.weights)
            self._network = network.to(self.device).eval()
            self._version = model.version
        return self._network


def probabilities(network: UNet, values: Values, device: torch.device) -> Values:
    """Probability of the first structure in each voxel of `values` (normalised), same shape."""
    on_gpu = device.type == "cuda"
    # Read-only memory maps are copied: torch wants to own what it may write to.
    x = torch.from_numpy(np.array(values, np.float32))[None, None].to(device)
    with torch.inference_mode(), torch.autocast(device.type, enabled=on_gpu):
        p = torch.sigmoid(network(x)[0, 0].float())
    return np.asarray(p.cpu().numpy(), np.float32)


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
