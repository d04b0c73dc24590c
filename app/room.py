"""What every step of a case's story needs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.config import Settings
from core.store import Store

SOFTWARE_VERSION = "0.1.0"


@dataclass(frozen=True, slots=True)
class Room:
    """Settings, store and clock, handed to each step."""

    settings: Settings
    store: Store
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def path(self, relative: str) -> Path:
        """A kept file, from its path in the store."""
        return self.settings.data_folder / relative

    @property
    def models_folder(self) -> Path:
        """Where model versions lie."""
        return self.settings.data_folder / "models"


def software_versions(model_version: str | None) -> tuple[str, ...]:
    """What Software Versions (0018,1020) says: ours, the model's, and the model's whole hash.

    A model version is the SHA-256 of its weights and configuration; people know it by the first
    12 digits. None: no model was behind the contours.
    """
    if model_version is None:
        return SOFTWARE_VERSION, "model none"
    return SOFTWARE_VERSION, f"model {model_version[:12]}", model_version


def key_of(*parts: str) -> str:
    """32 hex digits that name the same thing at every try."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
