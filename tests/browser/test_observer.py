"""A second observer from being asked to the comparison, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from core.approval import replayed
from core.journal import mask_crc32
from review_ui import create_app
from review_ui.accounts import create_user
from tests.browser.conftest import Site, log_in
from tests.browser.reference_case import CT, DOSE, GEOMETRY, HEART
from tests.browser.review_page import ReviewPage
from tests.support.review_case import PASSWORD, Reviewer, put_case
from tests.support.settings import settings_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_second_observer_contours_without_seeing_and_is_compared_after_signing(
    chromium: Browser, site: Site, tmp_path: Path
) -> None:
    store = site.store
    case_id = put_case(store, CT, prediction=HEART, dose=DOSE)
    app = create_app(settings_for(tmp_path), store)
    create_user(app, "phil", PASSWORD, "physicist")
    create_user(app, "bert", PASSWORD)
    anna = Reviewer.log_in(app)
    anna.open(case_id)
    body = {"tab": anna.tab, "seq": 0, "voxels": int(HEART.sum()), "crc32": mask_crc32(HEART)}
    assert anna.post(f"/api/cases/{case_id}/approve", **body, slices_seen=[20]).status_code == 200

    # A physicist asks on the page of the case's figures, which is found from the worklist.
    page = chromium.new_page()
    log_in(page, site, "phil")
    page.locator("#rows").get_by_role("link", name="Figures").click()
    page.get_by_label("Second observer").select_option("bert")
    page.get_by_role("button", name="Ask to contour independently").click()
    expect(page.locator("#observers")).to_contain_text("asked")
    figures = page.url
    page.context.close()

    page = chromium.new_page()
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    log_in(page, site, "bert")
    expect(page.locator("#cases")).to_be_hidden()
    page.locator("#observations").get_by_role("link").click()
    review = ReviewPage(page, GEOMETRY)
    review.wait(ready="true", voxels=0)
    expect(page.locator("#banner")).to_contain_text("second observer")
    expect(page.locator("#dose-note")).to_contain_text("not shown to a second observer")
    expect(page.get_by_role("link", name="RTSTRUCT")).to_have_count(0)
    x, y = review.middle("axial")
    drawn = review.disc("axial", (x - 30, y), (x + 30, y), 8.0)
    review.drag((x - 30, y), (x + 30, y))
    review.saved(1)
    page.reload()
    review.wait(ready="true", seq=1, voxels=int(drawn.sum()))
    page.click("#approve")
    expect(page.locator("#approve-rows")).to_contain_text("nobody; it is compared")
    page.click("#confirm-approve")
    page.wait_for_url(f"{site.url}/")
    assert [url for url in asked_for if case_id in url] == []

    observer = store.observations.of_case(case_id)[0]
    kept = store.files.read_mask(case_id, f"observation-{observer.id}")
    assert np.array_equal(kept, drawn)
    # Now the case is there, with what the first contour was.
    expect(page.locator("#rows tr")).to_have_count(1)
    page.goto(figures)
    dice = 2 * (drawn & HEART).sum() / (drawn.sum() + HEART.sum())
    expect(page.locator("#observers")).to_contain_text(re.compile(rf"bert.*Dice {dice:.3f}"))
    expect(page.locator("#work")).to_contain_text("second observer")
    page.context.close()
    assert not replayed(store, store.cases.get(case_id), "Heart").painted().any()
