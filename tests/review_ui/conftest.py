"""A review room over a real store in a temporary folder, with one reviewer logged in."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from core.config import Settings
from core.store import Store, open_store
from review_ui import create_app
from review_ui.accounts import create_user
from tests.support.review_case import PASSWORD, Reviewer
from tests.support.settings import settings_for


@dataclass(frozen=True, slots=True)
class Prepared:
    """A data folder with anna's account, and the session she got by logging in."""

    data_folder: Path
    cookie: str
    csrf_token: str


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    # Argon2 is slow on purpose: one real login serves all tests that are not about logging in.
    settings = settings_for(tmp_path_factory.mktemp("prepared"))
    store = open_store(settings)
    app = create_app(settings, store)
    create_user(app, "anna", PASSWORD)
    anna = Reviewer.log_in(app)
    cookie = anna.client.get_cookie("recontour")
    assert cookie is not None
    store.engine.dispose()
    return Prepared(settings.data_folder, cookie.value, anna.csrf_token)


@pytest.fixture
def settings(tmp_path: Path, prepared: Prepared) -> Settings:
    made = settings_for(tmp_path)
    shutil.copytree(prepared.data_folder, made.data_folder)
    return made


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def app(settings: Settings, store: Store) -> Flask:
    return create_app(settings, store)


@pytest.fixture
def anna(app: Flask, prepared: Prepared) -> Reviewer:
    client = app.test_client()
    client.set_cookie("recontour", prepared.cookie)
    return Reviewer(client, prepared.csrf_token, uuid.uuid4().hex)
