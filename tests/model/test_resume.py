"""A round that was killed goes on from its checkpoint as if it had never stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.config import ModelSettings, TrainingSettings
from model import train
from model.checkpoint import read_checkpoint, write_checkpoint
from model.running import Resume
from model.samples import Sample, TrainingCase
from model.train import Candidate, train_round
from tests.support.settings import config_of


@pytest.fixture
def cases() -> list[TrainingCase]:
    """Two patients with a ball each."""
    made = []
    for number in range(2):
        rng = np.random.default_rng(number)
        away = np.indices((24, 24, 24)) - np.array([12, 11 + number, 12]).reshape(3, 1, 1, 1)
        ball = np.linalg.norm(away, axis=0) < 7
        image = np.where(ball, 60.0, -100.0) + rng.normal(0, 20, ball.shape)
        weight = np.ones(ball.shape, np.float32)
        name = f"case-{number}"
        fine = Sample.of(image.astype(np.float32), ball, weight, (4.0, 4.0, 4.0))
        coarse = Sample(np.ascontiguousarray(fine.packed[:, ::2, ::2, ::2]), (8.0, 8.0, 8.0))
        made.append(TrainingCase(name, name, coarse, fine))
    return made


class KilledError(Exception):
    """Stands for kill -9: nothing is tidied up."""


def learn(
    cases: list[TrainingCase],
    settings: ModelSettings,
    training: TrainingSettings,
    resume: Resume | None,
    *,
    killed_at: int | None = None,
) -> Candidate:
    def progress(now: train.RoundProgress) -> None:
        if now.step == killed_at:
            raise KilledError

    return train_round(
        cases[:1],
        cases[1:],
        start=None,
        settings=settings,
        config=config_of(settings),
        training=training,
        rng=np.random.default_rng(3),
        progress=progress,
        should_stop=lambda: False,
        steps=12,
        resume=resume,
    )


def test_a_killed_round_ends_with_the_weights_of_one_that_was_not(
    cases: list[TrainingCase],
    settings: ModelSettings,
    training: TrainingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train, "CHECKPOINT_STEPS", 4)
    whole = learn(cases, settings, training, None)
    resume = Resume(tmp_path / "round.ckpt", "round 1")
    for step in (6, 11):
        with pytest.raises(KilledError):
            learn(cases, settings, training, resume, killed_at=step)
    again = learn(cases, settings, training, resume)
    assert again.losses == whole.losses
    assert again.scores == whole.scores
    assert all(torch.equal(again.weights[name], whole.weights[name]) for name in whole.weights)


def test_the_checkpoint_of_another_round_is_not_taken(
    cases: list[TrainingCase],
    settings: ModelSettings,
    training: TrainingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train, "CHECKPOINT_STEPS", 4)
    path = tmp_path / "round.ckpt"
    with pytest.raises(KilledError):
        learn(cases, settings, training, Resume(path, "round 1"), killed_at=6)
    assert read_checkpoint(path, key="round 1") is not None
    assert read_checkpoint(path, key="round 2") is None


def test_no_checkpoint_is_written_from_the_disk_s_reserve_and_the_one_before_stays(
    cases: list[TrainingCase],
    settings: ModelSettings,
    training: TrainingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train, "CHECKPOINT_STEPS", 4)
    path = tmp_path / "round.ckpt"
    with pytest.raises(KilledError):
        learn(cases, settings, training, Resume(path, "round 1"), killed_at=6)
    before = path.read_bytes()
    with pytest.raises(KilledError):
        learn(cases, settings, training, Resume(path, "round 1", 10**9), killed_at=11)
    assert path.read_bytes() == before


@pytest.mark.parametrize("keep", [0, 20, 400])
def test_a_damaged_checkpoint_counts_as_none(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "round.ckpt"
    write_checkpoint(path, {"a": torch.arange(200.0)}, {"key": "k"})
    content = path.read_bytes()
    path.write_bytes(content[:keep])
    assert read_checkpoint(path, key="k") is None
    path.write_bytes(content)
    found = read_checkpoint(path, key="k")
    assert found is not None
    assert torch.equal(found.tensors["a"], torch.arange(200.0))
