"""Pages about people and their work in a real browser: keys of one's own; nothing is cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from core.store import open_store
from core.volume import Volume
from review_ui import create_app
from review_ui.accounts import create_user
from review_ui.roles import ADMIN, PHYSICIAN
from tests.browser.conftest import Site, log_in
from tests.browser.review_page import ReviewPage
from tests.review_ui.test_deliveries import approved_case, change
from tests.support.review_case import PASSWORD, put_case, small_geometry
from tests.support.serving import served
from tests.support.settings import settings_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES = [ViewportSize(width=1280, height=720), ViewportSize(width=1920, height=1080)]
PAGES = ("deliveries", "audit", "users", "account")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = settings_for(tmp_path_factory.mktemp("people"))
    store = open_store(settings)
    app = create_app(settings, store)
    create_user(app, "otto", PASSWORD, ADMIN, PHYSICIAN)
    with served(app) as url:
        yield Site(url, store)
    store.engine.dispose()


def test_a_key_is_changed_and_is_there_after_a_reload(chromium: Browser, site: Site) -> None:
    geometry = small_geometry()
    case_id = put_case(site.store, Volume(np.zeros(geometry.shape, np.int16), geometry))
    page = chromium.new_page(viewport=SIZES[0])
    log_in(page, site, "otto")
    review = ReviewPage.open(page, site, case_id, geometry)
    page.keyboard.press("?")
    assert outside(page, "#keys-dialog, #keys-dialog *") == []
    told = page.locator("#keys-told")
    page.click("#change-toolRemove")
    page.keyboard.press("e")
    expect(told).to_contain_text("E is taken: Brush: erase corrections")
    page.keyboard.press("7")
    expect(told).to_have_text("7: Brush: remove.")
    assert site.store.accounts.keys_of("otto") == {"toolRemove": ["7"]}
    picture(page, "keys")
    page.reload()
    review.wait(ready="true")
    expect(page.locator("#tool-remove")).to_have_attribute("title", "Remove from Heart (7)")
    page.keyboard.press("7")
    review.wait(tool="remove")
    page.keyboard.press("q")
    review.wait(tool="add")
    page.keyboard.press("w")
    page.keyboard.press("1")  # the next press is answered after it
    review.wait(tool="add")
    page.keyboard.press("?")
    page.click("#default-keys")
    expect(told).to_have_text("The keys are those of the page.")
    assert site.store.accounts.keys_of("otto") == {}
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    review.wait(tool="remove")
    expect(page.locator("#tool-remove")).to_have_attribute("title", "Remove from Heart (W)")
    page.close()


def test_the_pages_fit_both_sizes(chromium: Browser, site: Site) -> None:
    """Pictures are saved to RECONTOUR_SCREENSHOTS, a folder, where that is set."""
    approved_case(site.store, ["TPS", "Archive"])
    failed = {"attempts": 4, "begun_at": datetime.now(UTC)}
    later = datetime.now(UTC) + timedelta(hours=1)
    why = "TPS cannot be reached at 127.0.0.1:11112. Look whether it runs. " * 3
    change(site.store, "TPS", next_try_at=later, last_error=why, **failed)
    page = chromium.new_page(viewport=SIZES[0])
    log_in(page, site, "otto")
    for name in PAGES:
        page.goto(f"{site.url}/{name}/")
        for details in page.locator("details").all():
            details.locator("summary").click()
        for size in SIZES:
            page.set_viewport_size(size)
            assert outside(page, "main *, header *") == [], (name, size)
            picture(page, name)
    page.close()


def outside(page: Page, selector: str) -> list[str]:
    """What reaches beyond the left or right edge of the window, or does not fit its own box."""
    return list(
        page.evaluate(
            """(selector) => [...document.querySelectorAll(selector)].filter((element) => {
              const box = element.getBoundingClientRect();
              if (box.width <= 1) return false;
              const isWhole = element.matches("button, .keys .row");
              return box.left < 0 || box.right > innerWidth + 0.5 ||
                (isWhole && element.scrollWidth > element.clientWidth + 1);
            }).map((element) => element.id || element.tagName + element.textContent.trim())""",
            selector,
        )
    )


def picture(page: Page, name: str) -> None:
    folder, size = os.environ.get("RECONTOUR_SCREENSHOTS"), page.viewport_size
    if folder and size:
        page.screenshot(path=Path(folder) / f"{name}-{size['width']}.png")
