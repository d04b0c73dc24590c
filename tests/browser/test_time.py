"""The time that a case takes, as the reviewer sees it and as the server keeps it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import Route, expect

from core.tables import interaction
from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT, GEOMETRY, HEART
from tests.browser.review_page import ReviewPage
from tests.support.review_case import NOW, put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_page_tells_the_time_without_long_pauses_and_the_server_keeps_what_was_done(
    open_page: OpenPage, site: Site
) -> None:
    case_id = put_case(site.store, CT, prediction=HEART)
    page = open_page()
    page.clock.install(time=NOW)
    review = ReviewPage.open(page, site, case_id, GEOMETRY)
    # From here on time stands still unless it is moved; an hour after the opening counts nothing.
    page.clock.pause_at(NOW + timedelta(hours=1))
    x, y = review.middle("axial")
    page.keyboard.press("1")
    # Between what is done: 15 s that count, a minute that does not, and 10 s.
    page.clock.fast_forward(15_000)
    review.drag((x - 90, y), (x - 60, y))
    page.clock.fast_forward(60_000)
    page.keyboard.press("z")
    page.keyboard.press("2")
    page.keyboard.press("s")
    page.clock.fast_forward(10_000)
    page.keyboard.press("r")
    page.clock.run_for(6_000)
    expect(page.locator("#time-spent")).to_have_text("25 s")

    page.goto(f"{site.url}/work")
    expect(page.locator("[data-arm=assisted] .figure")).to_have_text("25 s")
    assert _kept(site) == [
        "open",
        "window",
        "mouse-press",
        "mouse-release",
        "undo",
        "window",
        "layer",
        "position",
    ]


def test_what_is_done_while_a_batch_is_on_its_way_waits_for_it(
    open_page: OpenPage, site: Site
) -> None:
    case_id = put_case(site.store, CT, prediction=HEART)
    page = open_page()
    page.clock.install(time=NOW)
    slow: list[Route] = []
    page.route("**/events", lambda route: route.continue_() if slow else slow.append(route))
    ReviewPage.open(page, site, case_id, GEOMETRY)
    page.clock.pause_at(NOW + timedelta(hours=1))
    page.keyboard.press("1")
    page.clock.run_for(6_000)
    page.keyboard.press("s")
    page.clock.run_for(6_000)
    page.wait_for_timeout(500)
    assert _kept(site) == []

    slow[0].continue_()
    expect(page.locator("#time-spent")).to_have_text("6 s")
    assert _kept(site) == ["open", "window", "layer"]


def _kept(site: Site) -> list[str]:
    with site.store.engine.connect() as connection:
        kinds = connection.scalars(sa.select(interaction.c.kind).order_by(interaction.c.id)).all()
    return [kind for kind in kinds if kind != "visibility"]
