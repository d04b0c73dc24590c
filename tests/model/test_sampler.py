"""Which patches are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from core.config import ModelSettings, TrainingSettings
from core.geometry import VolumeGeometry
from core.volume import Volume
from model.cascade import STAGES
from model.labels import Labels
from model.sampler import Sampler
from model.samples import TrainingCase, make_training_case

# 640 mm in every direction: a patch of 16 voxels is a small part of it.
GRID = VolumeGeometry((80, 80, 80), (0.0, 0.0, 0.0), (8.0, 8.0, 8.0), "2.25.1")
TOUCHED = np.zeros(GRID.shape, bool)
TOUCHED[70:73, 6:9, 70:73] = True
NOTHING = np.zeros(GRID.shape, bool)


def made(settings: ModelSettings, labels: Labels) -> TrainingCase:
    fat = Volume(np.full(GRID.shape, -100, np.int16), GRID)
    return make_training_case(fat, labels, settings=settings, case_id="c", patient_key="p")


def labelled_share(
    case: TrainingCase, settings: ModelSettings, training: TrainingSettings
) -> dict[str, float]:
    """Share of 40 patches in which anything is labelled, for each network."""
    sampler = Sampler([case], [], settings, training, np.random.default_rng(0))
    found: dict[str, list[bool]] = {stage: [] for stage in STAGES}
    for _ in range(40 // training.batch_size):
        for stage, (_, _, weight) in sampler.batches().items():
            found[stage] += [bool((one > 0).any()) for one in weight]
    return {stage: float(np.mean(seen)) for stage, seen in found.items()}


@pytest.mark.parametrize("tool", ["add", "remove"])
def test_patches_of_strokes_alone_lie_where_somebody_painted(
    tool: str, settings: ModelSettings, training: TrainingSettings
) -> None:
    """Drawn anywhere in the scan, one patch in a hundred would hold a stroke."""
    strokes = (TOUCHED, NOTHING) if tool == "add" else (NOTHING, TOUCHED)
    shares = labelled_share(made(settings, Labels.strokes(*strokes)), settings, training)
    assert min(shares.values()) >= 0.7


def test_patches_of_a_whole_structure_also_show_what_is_far_from_it(
    settings: ModelSettings, training: TrainingSettings
) -> None:
    case = made(settings, Labels.imported(TOUCHED))
    sampler = Sampler([case], [], settings, training, np.random.default_rng(0))
    empty = [not bool(target.any()) for _ in range(20) for target in sampler.batches()["coarse"][1]]
    assert 0.2 < np.mean(empty) < 0.7
