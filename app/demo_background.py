"""What goes on behind the page of the demo: a starting model, the trainer, a colleague."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from app.clinic import Physician
from app.clinic_node import running, running_node
from app.colleague import Colleague, Stopped
from core.config import Settings
from core.errors import RecontourError
from core.store import open_store

# `recontour train --cold-start` builds one of many times the size.
STARTING_PATIENTS, STARTING_STEPS = 16, 240
ENDS_WITHIN_S = 40.0
log = structlog.get_logger()


@dataclass
class Background:
    """A thread of its own; the trainer starts when the starting model is done, as one trains."""

    settings: Settings
    config: Path
    folder: Path
    page: Physician
    spacing_mm: tuple[float, float, float]
    _stop: threading.Event = field(default_factory=threading.Event)
    _model_tried: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """It goes on while the block runs."""
        thread = threading.Thread(target=self._work, name="background", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(ENDS_WITHIN_S)

    def has_no_model(self) -> bool:
        """Whether a starting model was tried and none came of it."""
        return self._model_tried.is_set() and not self._is_released()

    def _work(self) -> None:
        if not self._is_released():
            self._build_starting_model()
        self._model_tried.set()
        with running_node(self.config, self.folder / "trainer.log", only=("trainer",)):
            work = Colleague(
                self.settings, self.page, self.folder / "patients", self.spacing_mm, self._stop
            )
            try:
                work.work()
            except Stopped:
                return
            except (RecontourError, OSError) as error:
                if not self._stop.is_set():
                    log.warning("colleague.stopped", reason=str(error))
            self._stop.wait()

    def _build_starting_model(self) -> None:
        """A small one, in a minute or two: enough to see proposals, not to judge them."""
        size = ["--patients", str(STARTING_PATIENTS), "--steps", str(STARTING_STEPS)]
        words = ["train", "--cold-start", *size]
        with running(words, self.config, self.folder / "starting-model.log") as training:
            while training.poll() is None and not self._stop.wait(0.2):
                pass

    def _is_released(self) -> bool:
        store = open_store(self.settings)
        try:
            return store.learning.released(self.settings.structures[0].name) is not None
        finally:
            store.engine.dispose()
