"""What every recipe of the benchmark can do."""

from __future__ import annotations

from typing import Any, Protocol

from app.experiment.physician import Corrected
from benchmarks.stream.patients import SimulatedPatient
from core.geometry import Mask


class Contender(Protocol):
    """A recipe in the stream: it proposes, is corrected, learns, and can be stopped any time."""

    def version(self) -> str | None:
        """Names the model that proposes now; another name, another model. None without one."""

    def propose(self, patient: SimulatedPatient) -> Mask:
        """The heart on the patient's CT grid as the model sees it; empty without a model."""

    def learn(self, number: int, patient: SimulatedPatient, corrected: Corrected) -> dict[str, Any]:
        """Take in the correction of patient `number` (from 0), train; figures of it."""

    def keep(self, patients: int) -> None:
        """Keep on disk what is needed to go on after `patients`."""

    def restore(self, done: list[dict[str, Any]]) -> None:
        """Go on after the patients of whom `learn` gave these figures."""
