"""The status page in a real browser: a test of a peer, and how a round goes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from core.config import PeerSettings
from core.errors import DeliveryError
from core.records import CHALLENGER, Round
from core.store import open_store
from review_ui import create_app
from review_ui.accounts import create_user
from review_ui.roles import ADMIN
from tests.browser.conftest import Site, log_in
from tests.support.review_case import NOW, PASSWORD
from tests.support.serving import served
from tests.support.settings import peer_values, settings_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A page whose peer TPS answers, and whose peer ARCHIVE does not."""

    def ask(peer: PeerSettings) -> None:
        if peer.name == "ARCHIVE":
            raise DeliveryError("No association with ARCHIVE: nobody answers there.")

    settings = settings_for(tmp_path, peers=[peer_values("TPS"), peer_values("ARCHIVE")])
    store = open_store(settings)
    app = create_app(settings, store, ask_peer=ask)
    create_user(app, "anna", PASSWORD, ADMIN)
    with served(app) as url:
        yield Site(url, store)
    store.engine.dispose()


def test_the_button_tells_what_came_of_a_test(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    log_in(page, site)
    page.goto(f"{site.url}/status")
    peers = page.locator("#peers .row")
    expect(peers).to_have_count(2)
    peers.filter(has_text="TPS").get_by_role("button").click()
    expect(peers.filter(has_text="TPS")).to_contain_text(
        re.compile(r"TPS answers, after \d+\.\d\d s")
    )
    peers.filter(has_text="ARCHIVE").get_by_role("button").click()
    expect(peers.filter(has_text="ARCHIVE")).to_contain_text("nobody answers there")
    page.wait_for_timeout(2500)  # the page goes on asking for its status: the answer stays
    expect(peers.filter(has_text="ARCHIVE")).to_contain_text("nobody answers there")
    context.close()


def test_the_running_challenger_shows_its_loss_its_looks_and_the_time_left(
    chromium: Browser, site: Site
) -> None:
    learning = site.store.learning
    kinds: tuple[dict[str, Any], ...] = ({}, {"kind": CHALLENGER})
    curve = {"every": 2, "loss": [0.8, 0.5, 0.4], "looks": [[4, 0.71], [6, 0.78]]}
    told = {"curve": curve, "seconds_left": 240.0}
    for number, kind in enumerate(kinds):
        at = NOW + timedelta(hours=number)
        begun = Round(
            f"{number:032x}", "Heart", ("c",), "RUNNING", 0, 400, None, None, "", at, None
        )
        learning.start_round(replace(begun, figures=kind))
        learning.progress(begun.id, step=6, loss=0.4, validation_dice=0.78, figures=told)
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    log_in(page, site)
    page.goto(f"{site.url}/status")
    running = page.locator("#rounds .row").first
    expect(running).to_contain_text("Challenger, from the beginning, on 1 approved case: step 6 of")
    expect(running).to_contain_text("loss 0.400, validation Dice 0.780, 4 min left")
    expect(page.locator("#round-curve polyline")).to_have_count(2)
    newest = page.locator("#round-curve .newest.challenger")
    points = (newest.locator("polyline").get_attribute("points") or "").split()
    heights = [float(point.split(",")[1]) for point in points]
    assert heights == sorted(heights)  # the loss falls: further down the picture
    assert len(heights) == 3
    expect(newest.locator("circle")).to_have_count(2)
    learning.progress(f"{1:032x}", step=400, loss=0.4, validation_dice=0.78, figures=told)
    expect(running).to_contain_text("all 400 steps are done, now it is measured")
    expect(running).not_to_contain_text("left")
    begun = Round("2" * 32, "Heart", (), "RUNNING", 0, 240, None, None, "", NOW, None)
    learning.start_round(replace(begun, started_at=NOW + timedelta(hours=2)))
    expect(running).to_contain_text("A starting model, from synthetic patients: step 0 of 240")
    context.close()
