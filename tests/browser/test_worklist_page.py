"""The worklist in a real browser."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from core.tables import case
from review_ui.worklist import NEWEST_FINISHED
from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT
from tests.support.review_case import put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_old_finished_cases_are_counted_and_shown_on_demand(
    open_page: OpenPage, site: Site
) -> None:
    put_case(site.store, CT)
    with site.store.engine.begin() as connection:
        template = dict(connection.execute(sa.select(case)).mappings().one())
        for _ in range(NEWEST_FINISHED + 3):
            names = {"id": uuid.uuid4().hex, "series_instance_uid": f"2.25.{uuid.uuid4().int}"}
            connection.execute(sa.insert(case).values({**template, **names, "state": "REJECTED"}))
    page = open_page()
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(NEWEST_FINISHED + 1)
    expect(page.locator("#summary")).to_have_text("204 in all, 1 for review")
    # The page goes on asking for what it shows.
    with page.expect_response(lambda answer: answer.url.endswith("/api/worklist?all=1")):
        page.get_by_role("link", name="and 3 older, finished").click()
    expect(rows).to_have_count(NEWEST_FINISHED + 4)
    expect(page.locator("#older")).to_be_hidden()
