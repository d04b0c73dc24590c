"""Learning goes on where the round before ended, whatever the gate said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from core.config import ModelSettings, TrainingSettings
from model.checkpoint import read_checkpoint, write_checkpoint
from model.running import Resume
from model.samples import TrainingCase
from model.train import FINAL_RATE, GOING_ON_RATE, Candidate, rate_at, train_round, warmth
from tests.model.test_resume import cases  # noqa: F401 (a fixture)
from tests.support.settings import config_of


def learn(
    two: list[TrainingCase],
    settings: ModelSettings,
    training: TrainingSettings,
    memory: Resume | None,
    *,
    seed: int = 3,
    stopped_at: int | None = None,
) -> Candidate:
    taken = 0

    def should_stop() -> bool:
        nonlocal taken
        taken += 1
        return taken == stopped_at

    return train_round(
        two[:1],
        two[1:],
        start=None,
        settings=settings,
        config=config_of(settings),
        training=training,
        rng=np.random.default_rng(seed),
        progress=lambda _: None,
        should_stop=should_stop,
        steps=8,
        memory=memory,
    )


def kept(memory: Resume) -> dict[str, torch.Tensor]:
    found = read_checkpoint(memory.path, key=memory.key)
    assert found is not None
    return found.tensors


def test_the_next_round_goes_on_with_weights_and_optimiser(
    cases: list[TrainingCase],  # noqa: F811
    settings: ModelSettings,
    training: TrainingSettings,
    tmp_path: Path,
) -> None:
    memory = Resume(tmp_path / "memory.ckpt", "heart")
    first = learn(cases, settings, training, memory)
    assert int(kept(memory)["steps"]) == 8
    second = learn(cases, settings, training, memory, seed=4)
    assert int(kept(memory)["steps"]) == 16
    fresh = learn(cases, settings, training, None, seed=4)
    assert np.mean(second.losses) < np.mean(fresh.losses)
    assert first.losses != second.losses


def test_a_memory_of_something_else_and_a_stopped_round_leave_no_trace(
    cases: list[TrainingCase],  # noqa: F811
    settings: ModelSettings,
    training: TrainingSettings,
    tmp_path: Path,
) -> None:
    memory = Resume(tmp_path / "memory.ckpt", "heart")
    learn(cases, settings, training, memory)
    before = memory.path.read_bytes()
    learn(cases, settings, training, memory, stopped_at=3)
    assert memory.path.read_bytes() == before
    other = Resume(memory.path, "heart, with other settings")
    learn(cases, settings, training, other)
    assert int(kept(other)["steps"]) == 8


def test_a_memory_that_an_earlier_edition_left_is_gone_on_with(
    cases: list[TrainingCase],  # noqa: F811
    settings: ModelSettings,
    training: TrainingSettings,
    tmp_path: Path,
) -> None:
    """It did not say how old its average was."""
    memory = Resume(tmp_path / "memory.ckpt", "heart")
    learn(cases, settings, training, memory)
    without = {name: value for name, value in kept(memory).items() if name != "age"}
    write_checkpoint(memory.path, without, {"key": memory.key})
    learn(cases, settings, training, memory)
    assert int(kept(memory)["steps"]) == int(kept(memory)["age"]) == 16


def test_an_optimiser_warms_up_once_in_its_life_and_rounds_in_a_row_stay_warm() -> None:
    assert [warmth(taken, 100) for taken in (0, 4, 9, 500)] == [0.1, 0.5, 1.0, 1.0]
    assert warmth(0, 6000) == 1 / 300
    assert rate_at(1, 40, GOING_ON_RATE) == 1.0
    assert abs(rate_at(40, 40, GOING_ON_RATE) - 0.2) < 1e-9
    assert abs(rate_at(40, 40, FINAL_RATE) - 0.02) < 1e-9
