"""A review room over a real store in a temporary folder, with two reviewers."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from core.config import Settings
from core.store import Store, open_store
from review_ui import create_app
from review_ui.accounts import create_user
from tests.support.review_case import PASSWORD, Reviewer
from tests.support.settings import settings_for


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings)


@pytest.fixture
def app(settings: Settings, store: Store) -> Flask:
    made = create_app(settings, store)
    create_user(made, "anna", PASSWORD)
    return made


@pytest.fixture
def anna(app: Flask) -> Reviewer:
    return Reviewer.log_in(app)
