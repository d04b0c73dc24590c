"""The review room behind its real server, and a real Chromium to look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from core.store import Store, open_store
from review_ui import create_app
from review_ui.accounts import create_user
from tests.support.browser import PATIENCE_MS
from tests.support.review_case import PASSWORD
from tests.support.serving import served
from tests.support.settings import settings_for


@dataclass(frozen=True, slots=True)
class Site:
    """A running review room."""

    url: str
    store: Store


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = settings_for(tmp_path)
    store = open_store(settings)
    app = create_app(settings, store)
    create_user(app, "anna", PASSWORD)
    with served(app) as url:
        yield Site(url, store)
    store.engine.dispose()


@dataclass  # without slots: Playwright leaves a mark on objects whose methods listen
class Complaints:
    """What a page said on its console that it should not."""

    heard: list[str] = field(default_factory=list)

    def listen_to(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))
        page.on("console", self._on_console)

    def _on_console(self, message: Any) -> None:
        if "Content Security Policy" in message.text or "Refused to" in message.text:
            self.heard.append(message.text)


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, site: Site) -> Iterator[OpenPage]:
    """Opens pages in a browser profile of their own, logged in as anna."""
    complaints = Complaints()
    contexts = []

    def opened(**options: Any) -> Page:
        context = chromium.new_context(viewport={"width": 1280, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        complaints.listen_to(page)
        log_in(page, site)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints.heard == []


def log_in(page: Page, site: Site, name: str = "anna") -> None:
    """Log in by the form; pages of the same profile have patience from then on."""
    page.context.set_default_timeout(PATIENCE_MS)
    page.goto(site.url)
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_selector("h1:has-text('Worklist')")


@contextmanager
def answers_lost(page: Page, pattern: str) -> Iterator[None]:
    """While this lasts, requests to `pattern` come back without an answer."""
    page.route(pattern, lambda route: route.abort())
    yield
    page.unroute(pattern)
