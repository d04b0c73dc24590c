"""How good a network is on whole volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from core.config import ModelSettings
from model.predict import choose_device, probabilities
from model.preprocess import dice, largest_component
from model.registry import Weights
from model.samples import TrainingCase
from model.unet import UNet


def dice_by_case(
    network: UNet, cases: Sequence[TrainingCase], device: torch.device
) -> dict[str, float]:
    """Dice of the largest predicted component on each whole case, on the working grid."""
    was_training = network.training
    network.eval()
    scores = {
        case.case_id: dice(
            largest_component(probabilities(network, case.image, device) > 0.5), case.target
        )
        for case in cases
    }
    network.train(was_training)
    return scores


def score_weights(
    weights: Weights, cases: Sequence[TrainingCase], settings: ModelSettings
) -> dict[str, float]:
    """Dice by case id of a released model's weights on `cases` made with the same settings."""
    device = choose_device(settings)
    network = UNet(settings.widths)
    network.load_state_dict(weights)
    return dice_by_case(network.to(device), cases, device)


def mean(scores: Mapping[str, float]) -> float:
    """Mean of the scores; 0 without any."""
    return sum(scores.values()) / len(scores) if scores else 0.0
