"""The Models page in a real browser: a model is pinned, and a second person decides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.room import Room
from core.records import CorrectionCheck
from core.store import open_store
from review_ui import create_app
from review_ui.accounts import create_user
from review_ui.roles import ADMIN
from tests.browser.conftest import Complaints, Site, log_in
from tests.support.bodies import CT, HEART
from tests.support.review_case import NOW, PASSWORD, put_case
from tests.support.room import approve_mask
from tests.support.serving import served
from tests.support.settings import settings_for
from tests.support.versions import put_real

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DOUBT = "Heart lies <24 mm> to the right of the middle of the body."


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """Two versions, and a correction of another account that waits for a second person."""
    settings = settings_for(tmp_path)
    opened = Room(settings, open_store(settings))
    put_real(opened, 1)
    put_real(opened, 2)
    case_id = put_case(opened.store, CT)
    held = approve_mask(opened, case_id, HEART)
    opened.store.checks.record(CorrectionCheck(held.id, case_id, "Heart", (DOUBT,), {}, NOW))
    yield opened
    opened.store.engine.dispose()


@pytest.fixture
def page(chromium: Browser, room: Room) -> Iterator[Page]:
    """The page as the administrator otto sees it."""
    app = create_app(room.settings, room.store)
    create_user(app, "otto", PASSWORD, ADMIN)
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    opened, complaints = context.new_page(), Complaints()
    complaints.listen_to(opened)
    with served(app) as url:
        log_in(opened, Site(url, room.store), "otto")
        opened.goto(f"{url}/models/")
        yield opened
        context.close()
    assert complaints.heard == []


def test_a_version_is_pinned_and_the_older_one_comes_back_by_a_click(
    page: Page, room: Room
) -> None:
    older, newest = (version.version for version in room.store.learning.versions("Heart"))
    rows = page.locator("tr[data-version]")
    expect(rows).to_have_count(2)
    row = page.locator(f"tr[data-version='{newest}']")
    row.get_by_text("Change").click()
    row.get_by_role("button", name="Pin", exact=True).click()
    expect(row).to_contain_text("pinned")
    assert room.store.models.state("Heart").pinned
    row = page.locator(f"tr[data-version='{older}']")
    row.get_by_text("Change").click()
    row.get_by_role("button", name="Roll back to it").click()
    expect(row).to_contain_text("in service")
    assert room.store.models.state("Heart").in_service == older


def test_enter_after_the_reason_is_the_careful_answer(page: Page, room: Room) -> None:
    held = page.locator("#held")
    expect(held).to_contain_text(DOUBT)
    held.get_by_label("Reason").press("Enter")
    expect(held).to_contain_text(DOUBT)  # not without a reason
    held.get_by_label("Reason").fill("The wrong side.")
    held.get_by_label("Reason").press("Enter")
    expect(held).to_contain_text("never learned from, decided by otto: “The wrong side.”")
    assert room.store.learning.learning_set("Heart").ids() == ()


def test_nothing_of_the_page_is_wider_than_a_small_screen(page: Page) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    page.reload()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 1024
