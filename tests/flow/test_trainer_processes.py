"""The trainer as processes: one that is killed in a round, and two under torchrun."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.learning import learn_what_is_new
from app.room import Room
from app.together import Trainers
from core.config import load_settings
from core.records import Round
from core.store import open_store
from model.registry import load
from tests.support.learning import approve_patient, learning_config
from tests.support.trainer_process import (
    kill,
    logged,
    ranks_of,
    running_trainer,
    wait_until,
)

pytestmark = pytest.mark.slow

ROUND = {"steps_first": 195, "validate_every": 35, "challenger_steps": 0}


def prepared(folder: Path, **training: object) -> tuple[Path, Room]:
    """A node with two approved patients, before its trainer starts."""
    config = learning_config(folder, **{**ROUND, **training})
    settings = load_settings(config)
    room = Room(settings, open_store(settings))
    for number in range(2):
        approve_patient(room, number)
    return config, room


def rounds(room: Room) -> list[Round]:
    """Oldest first."""
    return room.store.learning.rounds("Heart", newest=50)[::-1]


def finished(room: Room) -> list[Round]:
    return [r for r in rounds(room) if r.state == "DONE"]


def has_checkpoint(room: Room) -> bool:
    return any((room.settings.data_folder / "training").glob("round_*.ckpt"))


def steps_until_finished(room: Room) -> set[int]:
    """Where the rounds after the first one stood when looked at, until one has its verdict."""
    told: set[int] = set()

    def is_finished() -> bool:
        told.update(r.step for r in rounds(room)[1:])
        return bool(finished(room))

    wait_until(is_finished)
    return told - {0}


def test_a_killed_trainer_goes_on_to_the_model_it_was_on_its_way_to(tmp_path: Path) -> None:
    config, room = prepared(tmp_path / "killed")
    with running_trainer(config) as trainer:
        wait_until(lambda: has_checkpoint(room), every_s=0.01)
        trainer.kill()
    with running_trainer(config):
        assert min(steps_until_finished(room)) > 100, "the round began anew"
    assert [r.state for r in rounds(room)][:2] == ["ABANDONED", "DONE"]
    _, whole = prepared(tmp_path / "whole")
    assert learn_what_is_new(whole, "Heart", Trainers(lambda: False))
    assert finished(room)[0].version == finished(whole)[0].version


def test_two_processes_train_a_growing_set_and_survive_a_kill(tmp_path: Path) -> None:
    """One is killed in a round: all start again, and the round goes on from its checkpoint."""
    config, room = prepared(tmp_path, processes=2)
    with running_trainer(config) as torchrun:
        wait_until(lambda: has_checkpoint(room), every_s=0.01)
        before = ranks_of(torchrun)
        kill(before[1])
        assert min(steps_until_finished(room)) > 100, "the round began anew"
        after = ranks_of(torchrun)
        assert before.keys() == after.keys() == {0, 1}
        assert set(before.values()).isdisjoint(after.values())
        approve_patient(room, 2)
        wait_until(lambda: len(finished(room)[-1].corrections) == 3)
    assert rounds(room)[0].state == "ABANDONED"
    first, grown = finished(room)[0], finished(room)[-1]
    assert first.version is not None
    assert load(room.models_folder, first.version).description.scores["steps"] == 195
    assert len(grown.corrections) == 3
    # Each process saw at the end of each round that all have the same weights.
    digests = [(told["rank"], told["digest"]) for told in logged(config, "ranks.equal")]
    by_rank = [[digest for rank, digest in digests if rank == number] for number in (0, 1)]
    assert by_rank[0] == by_rank[1]
    assert len(by_rank[0]) >= len(finished(room))
