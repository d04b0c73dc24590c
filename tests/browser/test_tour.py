"""The guided tour: from the worklist to an approved case, once an account, by keyboard too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.store import open_store
from review_ui import create_app
from review_ui.accounts import create_user
from tests.browser.conftest import OpenPage, Site
from tests.browser.looks import cut_or_overflowing, findings_of_axe
from tests.browser.reference_case import CT, GEOMETRY, HEART
from tests.browser.review_page import ReviewPage
from tests.support.review_case import PASSWORD, put_case
from tests.support.serving import served
from tests.support.settings import settings_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A room that leads each account through its page."""
    settings = settings_for(tmp_path, review={"tour": True, "hold_s": 0})
    store = open_store(settings)
    app = create_app(settings, store)
    create_user(app, "anna", PASSWORD)
    with served(app) as url:
        yield Site(url, store)
    store.engine.dispose()


def step(page: Page, number: int) -> None:
    expect(page.locator("#guide")).to_be_visible()
    expect(page.locator("#guide")).to_have_attribute("data-step", str(number))
    expect(page.locator("#guide-count")).to_have_text(f"Step {number} of 5")
    expect(page.locator(".guided")).to_have_count(1)


def test_the_tour_leads_from_the_worklist_to_the_dose_difference_and_is_not_shown_again(
    open_page: OpenPage, site: Site
) -> None:
    case_id = put_case(site.store, CT, prediction=HEART)
    page = open_page()
    step(page, 1)
    expect(page.get_by_role("region", name="Open a case")).to_be_visible()
    expect(page.locator("#guide-next")).to_be_disabled()  # opening a case is what goes on
    assert [found for found in findings_of_axe(page) if "guide" in found] == []
    page.click("#rows a.primary")
    page.wait_for_url(f"{site.url}/cases/{case_id}")
    review = ReviewPage(page, GEOMETRY)
    review.wait(ready="true")
    step(page, 2)
    assert [found for found in findings_of_axe(page) if "guide" in found] == []
    assert [found for found in cut_or_overflowing(page) if "guide" in found] == []

    # By keyboard; a letter within the panel is no key of the page.
    page.locator("#guide-next").focus()
    page.keyboard.press("Enter")
    step(page, 3)
    page.keyboard.press("w")
    page.keyboard.press("Enter")
    step(page, 4)
    review.wait(tool="add")
    page.reload()
    review.wait(ready="true")
    step(page, 4)

    page.click("#approve")
    page.click("#confirm-approve")
    review.wait(state="APPROVED")
    step(page, 5)
    page.click("#guide-next")
    expect(page.locator("#guide")).to_have_attribute("data-ended", "true")
    expect(page.locator("#guide")).to_be_hidden()
    assert site.store.accounts.has_toured("anna")

    # Never again by itself, but where it is asked for; Escape ends it.
    page.reload()
    review.wait(ready="true")
    expect(page.locator("#guide")).to_be_hidden()
    page.click("#help")
    page.click("#begin-tour")
    step(page, 2)
    expect(page.locator("#guide-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#guide")).to_be_hidden()
