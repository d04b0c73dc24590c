"""What tests of several folders share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.support.browser import launch
from tests.support.peers import require_program

pytest_plugins = ["tests.support.service_table"]

LONGEST = ("flow", "faults", "benchmarks")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest goes first: no process is left alone with it at the end."""
    items.sort(key=lambda item: item.path.parent.name not in LONGEST)


@pytest.fixture(scope="session")
def playwright_driver() -> Iterator[Playwright]:
    """One driver a session: Playwright allows no second one beside it."""
    require_program("chromium")
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def chromium(playwright_driver: Playwright) -> Iterator[Browser]:
    """A browser that tests share; each takes a profile of its own."""
    browser = launch(playwright_driver)
    yield browser
    browser.close()
