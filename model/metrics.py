"""How good a network is on whole volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch

from core.config import ModelSettings
from core.geometry import Mask
from core.surfaces import surface_distances
from model.predict import choose_device, probabilities
from model.preprocess import dice, largest_component, normalise
from model.registry import Weights
from model.samples import TrainingCase
from model.unet import UNet

SURFACE_TOLERANCE_MM = 3.0
# A distance to nothing; farther than any organ is from another.
LOST_MM = 500.0


@dataclass(frozen=True, slots=True)
class CaseScore:
    """One case: Dice, surface Dice within 3 mm, 95 % Hausdorff distance, |mean dose error|.

    The dose error is None where the case has no dose; a structure not found at all is 500 mm away.
    """

    dice: float
    surface_dice: float
    hausdorff_95_mm: float
    mean_dose_error_gy: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The score that `to_json` gave."""
        return cls(**values)


def score_by_case(
    network: UNet,
    cases: Sequence[TrainingCase],
    device: torch.device,
    window_hu: tuple[float, float],
) -> dict[str, CaseScore]:
    """Scores of the largest predicted component on each whole case, on the working grid."""
    was_training = network.training
    network.eval()
    scores = {}
    for case in cases:
        probability = probabilities(network, normalise(case.image, window_hu), device)
        scores[case.case_id] = score_of(largest_component(probability > 0.5), case)
    network.train(was_training)
    return scores


def score_of(predicted: Mask, case: TrainingCase) -> CaseScore:
    """How far `predicted` (on the case's grid) is from what was approved."""
    apart = surface_distances(predicted, case.target, case.spacing_mm)
    return CaseScore(
        dice=dice(predicted, case.target),
        surface_dice=apart.surface_dice(SURFACE_TOLERANCE_MM),
        hausdorff_95_mm=min(apart.hausdorff_95_mm(), LOST_MM),
        mean_dose_error_gy=_dose_error(predicted, case),
    )


def score_weights(
    weights: Weights, cases: Sequence[TrainingCase], settings: ModelSettings
) -> dict[str, CaseScore]:
    """Scores by case id of a released model's weights on `cases` made with the same settings."""
    device = choose_device(settings)
    network = UNet(settings.widths)
    network.load_state_dict(weights)
    return score_by_case(network.to(device), cases, device, settings.window_hu)


def mean_of(scores: Mapping[str, CaseScore]) -> float:
    """Mean Dice of the scores; 0 without any."""
    return sum(s.dice for s in scores.values()) / len(scores) if scores else 0.0


def _dose_error(predicted: Mask, case: TrainingCase) -> float | None:
    """|Mean dose of the prediction - mean dose of what was approved| in Gy."""
    if case.dose_gy is None:
        return None
    measured = np.isfinite(case.dose_gy)
    here, there = predicted & measured, case.target & measured
    if not here.any() or not there.any():
        return None
    return abs(float(case.dose_gy[here].mean()) - float(case.dose_gy[there].mean()))
