"""What a model gives away about cases whose truth is known: what a calibration is made of."""

from __future__ import annotations

import numpy as np

from core.geometry import Box, Mask
from model.calibration import Outcome, dose_signs
from model.cascade import Found, Run, Scan, find
from model.metrics import score_of
from model.postprocess import postprocessed
from model.registry import NetworkConfig
from model.samples import TrainingCase
from model.uncertainty import doubted, place_of


def outcome_of(run: Run, config: NetworkConfig, case: TrainingCase) -> Outcome:
    """Predict a case and compare with its truth, on its fine grid."""
    image, dose_gy = case.fine.image, case.fine.dose_gy

    def fine_hu(box: Box) -> Scan:
        return image[box]

    found = find(run, config, case.coarse.image, fine_hu, case.fine.shape)
    here = np.zeros(0, np.int16) if found.box is None else fine_hu(found.box)
    doubts = doubted(run, config, found, case.coarse.image, here, case.fine.shape)
    mask = np.zeros(case.fine.shape, bool)
    dose = None
    if found.box is not None:
        part = _finished(config, found)
        mask[found.box] = part
        if dose_gy is not None:
            dose = dose_signs(doubts.probability, part, dose_gy[found.box])
    score = score_of(mask, case)
    volume_cc = float(case.fine.target.sum()) * float(np.prod(case.fine.spacing_mm)) / 1000.0
    truth = place_of(
        case.coarse.target, case.coarse.image, case.coarse.spacing_mm, volume_cc=volume_cc
    )
    return Outcome(
        estimates=doubts.estimates,
        dice=score.dice,
        truth=truth if volume_cc else None,
        dose=dose,
        dose_error_gy=score.mean_dose_error_gy,
    )


def _finished(config: NetworkConfig, found: Found) -> Mask:
    return postprocessed(
        found.fine > 0.5, keep_largest=config.keep_largest, fill_holes=config.fill_holes
    )
