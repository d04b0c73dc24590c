"""The worklist in a real browser."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from core.tables import case
from core.worklist_store import PAGE_ROWS
from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT
from tests.support.review_case import put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_long_worklist_is_turned_page_by_page_and_searched(
    open_page: OpenPage, site: Site
) -> None:
    put_case(site.store, CT)
    with site.store.engine.begin() as connection:
        template = dict(connection.execute(sa.select(case)).mappings().one())
        for number in range(PAGE_ROWS + 2):
            names = {"id": uuid.uuid4().hex, "series_instance_uid": f"2.25.{uuid.uuid4().int}"}
            names["patient_id"] = f"M-{number}"
            connection.execute(sa.insert(case).values({**template, **names, "state": "REJECTED"}))
    page = open_page()
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(PAGE_ROWS)
    expect(page.locator("#summary")).to_have_text("53 in all, 1 for review")
    expect(page.locator("#page-before")).to_be_hidden()
    # The page goes on asking for what it shows.
    with page.expect_response(lambda answer: answer.url.endswith("/api/worklist?page=2")):
        page.click("#page-after")
    expect(rows).to_have_count(3)
    page.select_option("#show", "waiting")
    expect(rows).to_have_count(1)
    page.fill("input[type=search]", "nobody")
    page.keyboard.press("Enter")
    expect(page.locator("#nothing-found")).to_be_visible()
    assert "nobody" not in page.url
    page.click("text=show all cases")
    expect(rows).to_have_count(PAGE_ROWS)
