"""The trainer: learns from approved corrections, one round at a time, in one process or several.

`training.processes` in the configuration says in how many; under torchrun it is one of those.
"""

from __future__ import annotations

from app.process import (
    become_torchrun,
    config_path,
    die_with_parent,
    give_way,
    start_logging,
    stop_on_signal,
)

if __name__ == "__main__":
    die_with_parent()

from core.config import Settings, load_settings

if __name__ == "__main__":
    become_torchrun(load_settings(config_path()), "app.trainer")

import threading
from collections.abc import Callable
from functools import partial

import structlog

from app.learning import challenge, learn_what_is_new
from app.opening import opened_or_ended
from app.room import Room
from app.together import END, NOTHING_YET, Trainers, follow
from app.turns import only_trainer
from core.errors import RecontourError, TrainerBusyError
from core.files import sweep_temporary
from model.ranks import join

log = structlog.get_logger()


def main() -> None:
    """Learn until asked to stop. A round that a crash cut off goes on from its checkpoint."""
    start_logging("trainer")
    give_way(15)
    settings = load_settings(config_path())
    stop = stop_on_signal()
    ranks = join(settings.model)
    if ranks.first:
        lead(settings, Trainers(stop.is_set, ranks), stop)
        ranks.share_values(END)
    else:
        follow(ranks, settings, stop.is_set)
    ranks.leave()


def lead(settings: Settings, trainers: Trainers, stop: threading.Event) -> None:
    """Learn what is new, and where nothing is try whether to begin anew leads further."""
    room = Room(settings, opened_or_ended(settings))
    while not stop.is_set():
        try:
            with only_trainer(settings.data_folder):
                sweep_temporary(room.models_folder)
                _lead_alone(room, trainers, stop)
        except TrainerBusyError as error:
            log.warning("trainer.waits", reason=str(error))
            trainers.ranks.share_values(NOTHING_YET)
            stop.wait(settings.training.poll_s)


def _lead_alone(room: Room, trainers: Trainers, stop: threading.Event) -> None:
    while not stop.is_set():
        for structure in room.settings.structures:
            guarded(partial(learn_what_is_new, room, structure.name, trainers), stop)
        for structure in room.settings.structures:
            guarded(partial(challenge, room, structure.name, trainers), stop)
        trainers.ranks.share_values(NOTHING_YET)
        stop.wait(room.settings.training.poll_s)


def guarded(learn: Callable[[], bool], stop: threading.Event) -> None:
    """Learn; a case that cannot be read stops this look, not the process."""
    try:
        learn()
    except (RecontourError, OSError) as error:
        log.warning("round.not_possible", reason=str(error))
        stop.wait(30.0)


if __name__ == "__main__":
    main()
