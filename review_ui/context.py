"""What every request handler needs: settings, store, clock, memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import current_app

from core.config import Settings, StructureSettings
from core.records import Case
from core.store import Store
from review_ui.memory import CaseMemory

EXTENSION = "recontour"


@dataclass(frozen=True, slots=True)
class Desk:
    """The room's furniture, one per app."""

    settings: Settings
    store: Store
    memory: CaseMemory
    now: Callable[[], datetime]

    @property
    def structure(self) -> StructureSettings:
        """The structure under review. The first one, until cases carry several."""
        return self.settings.structures[0]

    @property
    def roi_name(self) -> str:
        """Name of the structure under review."""
        return self.structure.name

    def destinations(self, current: Case) -> tuple[str, ...]:
        """Names of the peers that the case's approved structures go to."""
        return () if current.routing is None else current.routing.destinations

    def case(self, case_id: str) -> Case:
        """The case, or `NoSuchCaseError`."""
        return self.store.cases.get(case_id)


def desk() -> Desk:
    """The furniture of the app that answers this request."""
    return cast(Desk, current_app.extensions[EXTENSION])
