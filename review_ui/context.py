"""What every request handler needs: settings, store, clock, memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from flask import current_app

from core.config import PeerSettings, Settings, StructureSettings
from core.records import Case
from core.rules import structure_under_review
from core.store import Store
from review_ui.memory import CaseMemory
from review_ui.searches import Searches

EXTENSION = "recontour"


@dataclass(frozen=True, slots=True)
class Desk:
    """The room's furniture, one per app."""

    settings: Settings
    store: Store
    memory: CaseMemory
    now: Callable[[], datetime]
    ask_peer: Callable[[PeerSettings], None] | None = None
    searches: Searches = field(default_factory=Searches)

    @property
    def roi_name(self) -> str:
        """Name of the first structure of all: what models and figures are shown of."""
        return self.settings.structures[0].name

    def roi_of(self, current: Case) -> str:
        """Name of the structure that is corrected on a case: the first its rule names."""
        return structure_under_review(current, self.roi_name)

    def structure_of(self, current: Case) -> StructureSettings:
        """That structure as config.yaml describes it."""
        return self.settings.structure_named(self.roi_of(current))

    def destinations(self, current: Case) -> tuple[str, ...]:
        """Names of the peers that the case's approved structures go to."""
        return () if current.routing is None else current.routing.destinations

    def case(self, case_id: str) -> Case:
        """The case, or `NoSuchCaseError`."""
        return self.store.cases.get(case_id)


def desk() -> Desk:
    """The furniture of the app that answers this request."""
    return cast(Desk, current_app.extensions[EXTENSION])
