"""A prediction goes first, whatever becomes of the process that makes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.clinic import wait_for
from app.learning import learn_what_is_new
from app.together import Trainers
from app.trainer import lead
from app.training_command import train_from_corrections, train_starting_model
from app.turns import going_first, only_trainer, wait_for_predictions
from core.errors import TrainerBusyError
from tests.support.learning import approve_patient, learning_room
from tests.support.turns import predicting

BLOCKED_S = 0.3


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Callable[[], threading.Thread]]:
    """Starts a trainer that waits for predictions in `tmp_path`."""
    stop = threading.Event()
    started: list[threading.Thread] = []

    def start() -> threading.Thread:
        args = (tmp_path, stop.is_set)
        thread = threading.Thread(target=wait_for_predictions, args=args)
        thread.start()
        started.append(thread)
        thread.join(BLOCKED_S)
        return thread

    yield start
    stop.set()
    for thread in started:
        thread.join()


def test_without_a_prediction_nobody_waits(tmp_path: Path) -> None:
    wait_for_predictions(tmp_path, lambda: pytest.fail("it waits"))
    with going_first(tmp_path):
        pass
    wait_for_predictions(tmp_path, lambda: pytest.fail("it waits"))


def test_the_trainer_waits_until_the_last_of_two_predictions_is_made(
    tmp_path: Path, waiting: Callable[[], threading.Thread]
) -> None:
    with predicting(tmp_path) as one, predicting(tmp_path) as other:
        trainer = waiting()
        assert one.stdin is not None
        assert other.stdin is not None
        one.stdin.close()
        one.wait()
        trainer.join(BLOCKED_S)
        assert trainer.is_alive()
        other.stdin.close()
        other.wait()
        trainer.join(10)
        assert not trainer.is_alive()


def test_kill_9_of_the_worker_frees_the_trainer(
    tmp_path: Path, waiting: Callable[[], threading.Thread]
) -> None:
    with predicting(tmp_path) as worker:
        trainer = waiting()
        assert trainer.is_alive()
        worker.kill()
        trainer.join(10)
        assert not trainer.is_alive()


def test_a_trainer_that_waits_can_be_stopped(tmp_path: Path) -> None:
    answers = iter([False, False, True])
    with predicting(tmp_path):
        wait_for_predictions(tmp_path, lambda: next(answers))


def test_a_prediction_has_its_turn_at_once_and_a_round_takes_one_more_step_at_most(
    tmp_path: Path,
) -> None:
    """The worker waits for no step; what runs beside it is the step that was under way."""
    room = learning_room(tmp_path, steps_first=100_000, steps_longest=100_000)
    for number in range(2):
        approve_patient(room, number)
    stop, steps = threading.Event(), [0]
    trainers = Trainers(stop.is_set, watch=lambda now: steps.append(now.step))
    trainer = threading.Thread(target=learn_what_is_new, args=(room, "Heart", trainers))
    trainer.start()
    while steps[-1] < 3:
        assert trainer.is_alive()
        time.sleep(0.01)
    with predicting(room.settings.data_folder):
        before = steps[-1]
        time.sleep(1.0)
        assert steps[-1] <= before + 1
    beside = steps[-1]
    while steps[-1] < beside + 3:
        assert trainer.is_alive()
        time.sleep(0.01)
    stop.set()
    trainer.join()
    room.store.engine.dispose()


def test_a_command_does_not_train_beside_a_trainer(tmp_path: Path) -> None:
    room = learning_room(tmp_path)
    with only_trainer(room.settings.data_folder):
        with pytest.raises(TrainerBusyError, match="Stop the node"):
            train_from_corrections(room.settings, "Heart")
        with pytest.raises(TrainerBusyError, match="Stop the node"):
            train_starting_model(room.settings, "Heart", patients=1, steps=1, seed=0)
    assert "nothing new" in train_from_corrections(room.settings, "Heart")
    room.store.engine.dispose()


def test_the_trainer_of_the_node_waits_until_a_command_has_trained(tmp_path: Path) -> None:
    room = learning_room(tmp_path)
    for number in range(2):
        approve_patient(room, number)
    stop = threading.Event()
    trainer = threading.Thread(target=lead, args=(room.settings, Trainers(stop.is_set), stop))
    with only_trainer(room.settings.data_folder):
        trainer.start()
        trainer.join(BLOCKED_S)
        assert trainer.is_alive()
        assert room.store.learning.round_count("Heart") == 0
    wait_for(lambda: room.store.learning.round_count("Heart") > 0, timeout_s=60, what="a round")
    stop.set()
    trainer.join()
    room.store.engine.dispose()
