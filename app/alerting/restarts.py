"""Which processes end again and again: a file for each, kept by the supervisor that starts them."""

from __future__ import annotations

import re
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

log = structlog.get_logger()

MANY, WITHIN_S = 3, 15 * 60.0
"""So many ends within so many seconds are no accident any more."""


def _folder(data_folder: Path) -> Path:
    return data_folder / "locks" / "restarting"


def restarting(data_folder: Path) -> list[tuple[str, str]]:
    """Role and machine of each process that ends again and again, of all machines."""
    if not _folder(data_folder).is_dir():
        return []
    names = sorted(path.name for path in _folder(data_folder).iterdir())
    return [(role, host) for role, _, host in (name.partition("@") for name in names) if host]


class Ends:
    """When each process ended lately."""

    def __init__(self) -> None:
        self._at: dict[str, deque[float]] = {}

    def add(self, role: str, now_s: float) -> None:
        """It ended."""
        self._at.setdefault(role, deque(maxlen=MANY)).append(now_s)

    def are_many(self, role: str, now_s: float) -> bool:
        """Whether that happens again and again."""
        at = self._at.get(role)
        return at is not None and len(at) == MANY and now_s - at[0] <= WITHIN_S


class Restarts:
    """The files of this machine; none is there when its supervisor begins."""

    def __init__(self, data_folder: Path) -> None:
        self._folder = _folder(data_folder)
        self._host = re.sub(r"[^\w.-]", "_", socket.gethostname()) or "here"

    def begin(self) -> None:
        """Forget what an earlier supervisor noted."""
        with _or_warn():
            for path in self._folder.glob(f"*@{self._host}"):
                path.unlink(missing_ok=True)

    def note(self, role: str) -> None:
        """A process ends again and again."""
        with _or_warn():
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"{role}@{self._host}").touch()

    def steady(self, role: str) -> None:
        """A process runs."""
        with _or_warn():
            (self._folder / f"{role}@{self._host}").unlink(missing_ok=True)


@contextmanager
def _or_warn() -> Iterator[None]:
    """A disk that is full or read-only ends no supervisor: it has processes to look after."""
    try:
        yield
    except OSError as error:
        log.warning("restarts.not_kept", why=type(error).__name__)
