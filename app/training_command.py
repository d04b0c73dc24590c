"""`recontour train`: a round in the foreground, with its progress on the terminal."""

from __future__ import annotations

from app.cold_start import ColdStart, train_cold_start
from app.learning import learn_what_is_new
from app.process import stop_on_signal
from app.progress import bars
from app.room import Room
from core.config import Settings
from core.store import open_store
from model.train import RoundProgress


def train_starting_model(
    settings: Settings, roi_name: str, *, patients: int, steps: int, seed: int
) -> str:
    """Build the starting model; Ctrl+C keeps a checkpoint. Returns what came of it."""
    stop, room = stop_on_signal(), Room(settings, open_store(settings))
    with bars() as shown:
        drawing = shown.add_task("synthetic patients", total=patients)
        learning = shown.add_task("optimiser steps", total=steps)

        def drawn(done: int, _of: int) -> None:
            shown.update(drawing, completed=done)

        def progress(now: RoundProgress) -> None:
            words = f"optimiser steps, loss {now.loss:.3f}"
            shown.update(learning, completed=now.step, description=words)

        finished = train_cold_start(
            room,
            roi_name,
            ColdStart(patients, steps, seed),
            drawn=drawn,
            progress=progress,
            should_stop=stop.is_set,
        )
    if finished is None:
        return "Stopped. The same command goes on from the last checkpoint."
    return finished.verdict


def train_from_corrections(settings: Settings, roi_name: str) -> str:
    """One round over what was approved, if there is anything new. Returns what came of it."""
    stop, room = stop_on_signal(), Room(settings, open_store(settings))
    before = room.store.learning.round_count(roi_name)
    learn_what_is_new(room, roi_name, stop.is_set)
    if room.store.learning.round_count(roi_name) == before:
        return "There is nothing new to learn, or no validation case yet."
    return room.store.learning.rounds(roi_name, newest=1)[0].verdict
