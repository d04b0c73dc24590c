"""Which model the benchmark of starting models takes unasked."""

from pathlib import Path

import torch

from app.cold_start import ORIGIN
from benchmarks.starting_model import newest_starting_model
from core.config import load_settings
from model.registry import ModelDescription, NetworkConfig, publish


def published(models: Path, value: float, day: int, **scores: str) -> str:
    settings = load_settings(Path("config.yaml"))
    config = NetworkConfig.of(settings.model, settings.structures[0])
    made = f"2026-11-{day:02d}T08:00:00+00:00"
    description = ModelDescription("Heart", config, "0.1.0", None, (), dict(scores), made)
    return publish(models, {"weight": torch.full((2,), value)}, description)


def test_the_newest_of_those_that_learned_from_synthetic_patients_alone(tmp_path: Path) -> None:
    assert newest_starting_model(tmp_path) is None
    published(tmp_path, 3.0, 3)
    assert newest_starting_model(tmp_path) is None
    published(tmp_path, 1.0, 1, origin=ORIGIN)
    newest = published(tmp_path, 2.0, 2, origin=ORIGIN)
    found = newest_starting_model(tmp_path)
    assert found is not None
    assert found.version == newest
