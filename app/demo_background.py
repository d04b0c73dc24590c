"""What goes on behind the page of the demo: a starting model, judges, a colleague, the trainer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from app.clinic import Physician
from app.clinic_node import running, running_node
from app.colleague import Colleague, Stopped
from app.demo_judges import write_judges
from core.config import Settings
from core.errors import RecontourError
from core.learning_store import LearningStore
from core.store import open_store

# `recontour train --cold-start` builds one of many times the size.
STARTING_PATIENTS, STARTING_STEPS = 16, 240
ENDS_WITHIN_S = 40.0
log = structlog.get_logger()


@dataclass
class Background:
    """A thread of its own; the trainer starts when the starting model is done, as one trains.

    Before it, those who judge are there and the colleague has approved its first cases: so that the
    first round is worth something.
    """

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
        work = Colleague(
            self.settings, self.page, self.folder / "patients", self.spacing_mm, self._stop
        )
        self._try(self._bring_judges)
        self._try(work.begin)
        if self._stop.is_set():
            return
        with running_node(self.config, self.folder / "trainer.log", only=("trainer",)):
            self._try(work.go_on)
            self._stop.wait()

    def _try(self, part: Callable[[], None]) -> None:
        """Nothing of it ends the demo: what does not come is missing, and the log says why."""
        try:
            part()
        except Stopped:
            return
        except (RecontourError, OSError) as error:
            if not self._stop.is_set():
                log.warning("background.stopped", part=part.__name__, reason=str(error))

    def _bring_judges(self) -> None:
        """Phantoms with contours from elsewhere, on which the gate judges."""
        if self._are_judges_there():
            return
        folder, roi = self.folder / "judges", self.settings.structures[0].name
        write_judges(folder, roi, self.spacing_mm, self._stop.is_set)
        words = ["import-labels", str(folder), "--to-judge", "--roi", roi]
        self._run_to_its_end(words, "judges.log")

    def _build_starting_model(self) -> None:
        """A small one, in a minute or two: enough to see proposals, not to judge them."""
        size = ["--patients", str(STARTING_PATIENTS), "--steps", str(STARTING_STEPS)]
        self._run_to_its_end(["train", "--cold-start", *size], "starting-model.log")

    def _run_to_its_end(self, words: Sequence[str], log_name: str) -> None:
        with running(words, self.config, self.folder / log_name) as command:
            while command.poll() is None and not self._stop.wait(0.2):
                pass

    def _is_released(self) -> bool:
        with self._learning() as learning:
            return learning.released(self.settings.structures[0].name) is not None

    def _are_judges_there(self) -> bool:
        with self._learning() as learning:
            return bool(learning.learning_set(self.settings.structures[0].name).validation)

    @contextmanager
    def _learning(self) -> Iterator[LearningStore]:
        store = open_store(self.settings)
        try:
            yield store.learning
        finally:
            store.engine.dispose()
