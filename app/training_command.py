"""`recontour train`: a round in the foreground, with its progress on the terminal.

Started by torchrun, several processes train one round together; the first one answers.
"""

from __future__ import annotations

from collections.abc import Callable

from rich.progress import Progress

from app.cold_start import ColdStart, train_cold_start
from app.learning import challenge, learn_what_is_new
from app.process import stop_on_signal
from app.progress import bars
from app.room import Room
from app.together import END, Trainers, follow
from app.turns import only_trainer
from core.config import Settings
from core.store import open_store
from model.ranks import join
from model.train import RoundProgress


def train_starting_model(
    settings: Settings, roi_name: str, *, patients: int, steps: int, seed: int
) -> str:
    """Build the starting model; Ctrl+C keeps a checkpoint. Returns what came of it."""

    def build(room: Room, trainers: Trainers, shown: Progress) -> str:
        drawing = shown.add_task("synthetic patients", total=patients)
        finished = train_cold_start(
            room,
            roi_name,
            ColdStart(patients, steps, seed),
            trainers,
            lambda done, _of: shown.update(drawing, completed=done),
        )
        if finished is None:
            return "Stopped. The same command goes on from the last checkpoint."
        return finished.verdict

    return _led(settings, build)


def train_from_corrections(settings: Settings, roi_name: str) -> str:
    """One round over what was approved, if there is anything new; else a challenger, if due."""

    def learn(room: Room, trainers: Trainers, _shown: Progress) -> str:
        before = room.store.learning.round_count(roi_name)
        for run in (learn_what_is_new, challenge):
            run(room, roi_name, trainers)
            if room.store.learning.round_count(roi_name) > before:
                return room.store.learning.rounds(roi_name, newest=1)[0].verdict or (
                    "Stopped. The same command goes on from the last checkpoint."
                )
        return "There is nothing new to learn, or no validation case yet."

    return _led(settings, learn)


def _led(settings: Settings, work: Callable[[Room, Trainers, Progress], str]) -> str:
    """What `work` answers in the first process; the others follow it and answer nothing."""
    stop, ranks = stop_on_signal(), join(settings.model)
    said = ""
    if ranks.first:
        with bars() as shown:
            room = Room(settings, open_store(settings))
            with only_trainer(settings.data_folder):
                said = work(room, Trainers(stop.is_set, ranks, _watching(shown)), shown)
        ranks.share_values(END)
    else:
        follow(ranks, settings, stop.is_set)
    ranks.leave()
    return said


def _watching(shown: Progress) -> Callable[[RoundProgress], None]:
    learning = shown.add_task("optimiser steps", total=None)

    def watch(now: RoundProgress) -> None:
        words = f"optimiser steps, loss {now.loss:.3f}"
        if now.validation_dice is not None:
            words += f", validation Dice {now.validation_dice:.3f}"
        shown.update(learning, completed=now.step, total=now.steps, description=words)

    return watch
