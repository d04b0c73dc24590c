"""What every request handler needs: settings, store, clock, memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from flask import current_app

from core.config import PeerSettings, Settings
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
        """Name of the structure that is corrected on a case now."""
        return structure_under_review(current, self.roi_name)

    def colour_of(self, roi_name: str) -> tuple[int, int, int]:
        """Red, green, blue of a structure; of the first where config.yaml does not know it."""
        known = (s.colour for s in self.settings.structures if s.name == roi_name)
        return next(known, self.settings.structures[0].colour)

    def destinations(self, current: Case) -> tuple[str, ...]:
        """Names of the peers that the case's approved structures go to."""
        return () if current.routing is None else current.routing.destinations

    def case(self, case_id: str) -> Case:
        """The case, or `NoSuchCaseError`."""
        return self.store.cases.get(case_id)


def desk() -> Desk:
    """The furniture of the app that answers this request."""
    return cast(Desk, current_app.extensions[EXTENSION])
