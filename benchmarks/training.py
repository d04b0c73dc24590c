"""How fast the shipped settings learn on one CPU thread: the loader, and whole optimiser steps.

    python -m benchmarks.training

On synthetic patients, CPU time. The peer is the same step in float32 with PyTorch's own memory
layout, in turn with ours. The last line is JSON. Bar: 0.5 million voxels a second and 10 ms for
each patch the loader makes (the fine network's patch).
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from app.phantom import make_phantom
from core.config import StageSettings, load_settings
from model.augment import random_patch
from model.labels import Labels
from model.learner import Learner
from model.losses import masked_loss
from model.registry import NetworkConfig
from model.sampler import Batch, Sampler
from model.samples import TrainingCase, make_training_case

LEAST_VOXELS_A_SECOND, MOST_MS = 0.5e6, 10.0
ROUNDS, STEPS, PATCHES = 5, 4, 40
CPU = torch.device("cpu")


def main() -> int:
    """Measure, print and say whether the bars hold; 0 when they do."""
    torch.set_num_threads(1)
    settings = load_settings(Path(__file__).parents[1] / "config.yaml")
    model, training = settings.model, settings.training
    config = NetworkConfig.of(model, settings.structures[0])
    cases = [_case(seed) for seed in (1, 2)]
    rng = np.random.default_rng(0)
    sampler = Sampler(cases, (), model, training, rng)
    ours, peer = (Learner(None, config, CPU, training, rng) for _ in range(2))
    peer.live.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    batches = [sampler.batches() for _ in range(STEPS)]
    voxels = STEPS * sum(batches[0][stage][0].numel() for stage in batches[0])
    speeds, peer_speeds, patch_ms = [], [], []
    for learner in (ours, peer):
        learner.step(batches[0], 1.0)
    for _ in range(ROUNDS):
        speeds.append(voxels / _seconds(lambda: _steps(ours, batches)))
        peer_speeds.append(voxels / _seconds(lambda: _float32(peer, batches)))
        patch_ms.append(1e3 / PATCHES * _seconds(lambda: _load(cases[0], model.fine, rng)))
    speed, peer_speed = statistics.median(speeds), statistics.median(peer_speeds)
    loader_ms = statistics.median(patch_ms)
    _tell(f"steps   {speed / 1e6:5.2f} M voxels/s, float32 {peer_speed / 1e6:5.2f} M voxels/s")
    _tell(f"loader  {loader_ms:5.1f} ms a patch of {model.fine.patch_voxels} voxels")
    figures = {
        "voxels_per_second": round(speed),
        "times_as_fast": {"float32": round(speed / peer_speed, 2)},
        "loader_ms": round(loader_ms, 2),
        "spread_ms": [round(min(patch_ms), 2), round(max(patch_ms), 2)],
        "holds": speed >= LEAST_VOXELS_A_SECOND and loader_ms <= MOST_MS,
    }
    _tell(json.dumps(figures))
    return 0 if figures["holds"] else 1


def _case(seed: int) -> TrainingCase:
    settings = load_settings(Path(__file__).parents[1] / "config.yaml")
    phantom = make_phantom(seed, spacing_mm=(3.0, 3.0, 3.0))
    return make_training_case(
        phantom.volume,
        Labels.imported(phantom.heart),
        settings=settings.model,
        case_id=str(seed),
        patient_key=str(seed),
    )


def _steps(learner: Learner, batches: Sequence[Mapping[str, Batch]]) -> None:
    for batch in batches:
        learner.step(batch, 1.0)


def _float32(learner: Learner, batches: Sequence[Mapping[str, Batch]]) -> None:
    """The same steps without half precision."""
    for batch in batches:
        for name, network in learner.live.stages().items():
            image, target, weight = batch[name]
            masked_loss(network(image), target, weight).backward()  # type: ignore[no-untyped-call]
        learner.optimiser.step()
        learner.optimiser.zero_grad(set_to_none=True)


def _load(case: TrainingCase, stage: StageSettings, rng: np.random.Generator) -> None:
    centre = np.asarray(case.fine.shape) // 2
    for _ in range(PATCHES):
        random_patch(
            case.fine, centre, stage.patch_voxels, window_hu=(-250.0, 350.0), rng=rng, strength=1.0
        )


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
