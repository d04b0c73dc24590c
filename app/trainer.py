"""The trainer process: learns from approved corrections, one round at a time."""

from __future__ import annotations

from app.process import config_path, die_with_parent, start_logging, stop_on_signal

if __name__ == "__main__":
    die_with_parent()

import threading

import structlog

from app.learning import learn_what_is_new
from app.room import Room
from core.config import load_settings
from core.errors import RecontourError
from core.files import sweep_temporary
from core.store import open_store

log = structlog.get_logger()


def main() -> None:
    """Learn until asked to stop. A round that a crash cut off is started again."""
    start_logging("trainer")
    stop = stop_on_signal()
    settings = load_settings(config_path())
    room = Room(settings, open_store(settings))
    sweep_temporary(room.models_folder)
    while not stop.is_set():
        for structure in settings.structures:
            learn(room, structure.name, stop)
        stop.wait(settings.training.poll_s)


def learn(room: Room, roi_name: str, stop: threading.Event) -> None:
    """Learn one structure; a case that cannot be read stops this look, not the process."""
    try:
        learn_what_is_new(room, roi_name, stop.is_set)
    except (RecontourError, OSError) as error:
        log.warning("round.not_possible", roi=roi_name, reason=str(error))
        stop.wait(30.0)


if __name__ == "__main__":
    main()
