"""A store on SQLite in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.store import Store, open_store
from tests.support.settings import settings_for


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(settings_for(tmp_path))
