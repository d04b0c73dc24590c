"""Who goes first: a prediction before training, and one trainer at a time.

The trainer waits between two steps while this machine predicts: a physician waits for a
prediction, nobody for a round. The signs are locks on files that the system drops when their
holder dies: no time-outs, no clock. Several workers may predict at once.
"""

from __future__ import annotations

import fcntl
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import TrainerBusyError

LOOK_AGAIN_S = 0.02


@contextmanager
def going_first(data_folder: Path) -> Iterator[None]:
    """Hold the trainer of this machine between two steps while the block runs."""
    path = _path(data_folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        # Shared: it waits for no other worker, and for the trainer only while that one looks.
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def only_trainer(data_folder: Path) -> Iterator[None]:
    """Nobody else trains in the folder while the block runs: two would write one checkpoint.

    Raises
    ------
    TrainerBusyError
        Somebody does.
    """
    path = data_folder / "locks" / "training"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainerBusyError(
                f"Another process trains in {data_folder}. Stop the node, or wait until it is done."
            ) from None
        yield


def wait_for_predictions(data_folder: Path, should_stop: Callable[[], bool]) -> None:
    """Return when nobody on this machine predicts, or when asked to stop."""
    while _somebody_predicts(data_folder) and not should_stop():
        time.sleep(LOOK_AGAIN_S)


def _somebody_predicts(data_folder: Path) -> bool:
    try:
        with _path(data_folder).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _path(data_folder: Path) -> Path:
    # A worker on another machine shares the folder, not the processor.
    return data_folder / "locks" / f"predicting-{socket.gethostname()}"
