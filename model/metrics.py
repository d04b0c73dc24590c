"""How good a network is on whole volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch

from core.geometry import Mask
from core.surfaces import surface_distances
from model.cascade import Cascade, find, loaded_cascade, torch_run
from model.postprocess import postprocessed
from model.preprocess import Values, dice
from model.registry import NetworkConfig, Weights
from model.samples import TrainingCase

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
    cascade: Cascade, config: NetworkConfig, cases: Sequence[TrainingCase]
) -> dict[str, CaseScore]:
    """Scores of what is predicted on each whole case, on the fine working grid."""
    was_training = cascade.training
    cascade.eval()
    scores = {case.case_id: score_of(predicted(cascade, config, case), case) for case in cases}
    cascade.train(was_training)
    return scores


def predicted(cascade: Cascade, config: NetworkConfig, case: TrainingCase) -> Mask:
    """What is predicted on a case, on its fine working grid; `cascade` must be in eval mode."""
    image = case.fine.image
    found = find(
        torch_run(cascade), config, case.coarse.image, lambda box: image[box], case.fine.shape
    )
    mask = np.zeros(case.fine.shape, bool)
    if found.box is not None:
        mask[found.box] = postprocessed(
            found.fine > 0.5, keep_largest=config.keep_largest, fill_holes=config.fill_holes
        )
    return mask


def score_of(found: Mask, case: TrainingCase) -> CaseScore:
    """How far `found` (on the case's fine grid) is from what was approved."""
    approved = case.fine.target
    apart = surface_distances(found, approved, case.fine.spacing_mm)
    return CaseScore(
        dice=dice(found, approved),
        surface_dice=apart.surface_dice(SURFACE_TOLERANCE_MM),
        hausdorff_95_mm=min(apart.hausdorff_95_mm(), LOST_MM),
        mean_dose_error_gy=_dose_error(found, approved, case.fine.dose_gy),
    )


def score_weights(
    weights: Weights, config: NetworkConfig, cases: Sequence[TrainingCase], device: torch.device
) -> dict[str, CaseScore]:
    """Scores by case id of a model's weights on `cases` that were made at its spacings."""
    return score_by_case(loaded_cascade(config, weights, device), config, cases)


def mean_of(scores: Mapping[str, CaseScore]) -> float:
    """Mean Dice of the scores; 0 without any."""
    return sum(s.dice for s in scores.values()) / len(scores) if scores else 0.0


def _dose_error(found: Mask, approved: Mask, dose_gy: Values | None) -> float | None:
    """|Mean dose of what was found - mean dose of what was approved| in Gy."""
    if dose_gy is None:
        return None
    measured = np.isfinite(dose_gy)
    here, there = found & measured, approved & measured
    if not here.any() or not there.any():
        return None
    return abs(float(dose_gy[here].mean()) - float(dose_gy[there].mean()))
