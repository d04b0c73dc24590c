"""Several structures of one case, by real mouse and keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT, GEOMETRY, HEART
from tests.browser.review_page import ReviewPage
from tests.support.review_case import ROUTING, put_case, put_prediction

pytestmark = [pytest.mark.browser, pytest.mark.slow]

GULLET = HEART & np.roll(HEART, 6, axis=2)


@pytest.fixture
def case_id(site: Site) -> str:
    """A case on which two structures were predicted."""
    routing = replace(ROUTING, structures=("Heart", "Esophagus"))
    made = put_case(site.store, CT, prediction=HEART, routing=routing)
    put_prediction(site.store, made, GULLET, roi_name="Esophagus")
    return made


def test_the_next_structure_is_contoured_on_the_same_page_and_nothing_is_lost_on_the_way(
    open_page: OpenPage, site: Site, case_id: str
) -> None:
    review = ReviewPage.open(open_page(), site, case_id, GEOMETRY)
    page = review.page
    heart = page.locator("#structure-rows [data-roi=Heart]")
    gullet = page.locator("#structure-rows [data-roi=Esophagus]")
    expect(heart).to_have_attribute("aria-pressed", "true")
    x, y = review.middle("axial")
    review.drag((x - 90, y), (x - 60, y))
    review.saved(1)
    with_stroke = review.voxels

    # To the oesophagus and back, in the middle of the heart.
    gullet.click()
    expect(page.locator("header b").first).to_have_text("Esophagus review")
    review.wait(ready="true", seq=0, voxels=int(GULLET.sum()))
    expect(gullet).to_have_attribute("aria-pressed", "true")
    expect(heart).to_contain_text("in review")
    heart.click()
    expect(page.locator("header b").first).to_have_text("Heart review")
    review.wait(ready="true", seq=1, voxels=with_stroke)

    page.click("#approve")
    page.click("#confirm-approve")
    review.wait(state="APPROVED")
    page.get_by_role("button", name="Go on with Esophagus").click()
    expect(page.locator("header b").first).to_have_text("Esophagus review")
    review.wait(ready="true", voxels=int(GULLET.sum()))
    page.click("#approve")
    expect(page.locator("#approve-title")).to_contain_text("Approve Esophagus of")
    page.click("#confirm-approve")
    review.wait(state="APPROVED")
    expect(page.locator("#next-structure")).to_be_hidden()
    expect(heart).to_contain_text("approved")

    sent = {
        roi: site.store.files.read_mask(case_id, f"correction-{approved.id}")
        for roi in ("Heart", "Esophagus")
        if (approved := site.store.reviews.correction_of(case_id, roi))
    }
    assert int(sent["Heart"].sum()) == with_stroke
    assert np.array_equal(sent["Esophagus"], GULLET)


def test_a_page_that_shows_the_structure_before_says_so_and_offers_nothing(
    open_page: OpenPage, site: Site, case_id: str
) -> None:
    shown = ReviewPage.open(open_page(), site, case_id, GEOMETRY)
    shown.page.click("#approve")
    shown.page.click("#confirm-approve")
    shown.wait(state="APPROVED")

    elsewhere = ReviewPage.open(open_page(), site, case_id, GEOMETRY)
    elsewhere.page.click("#next-structure")
    elsewhere.wait(ready="true", voxels=int(GULLET.sum()))
    x, y = elsewhere.middle("axial")
    elsewhere.drag((x - 90, y), (x - 60, y))
    elsewhere.saved(1)

    banner = shown.page.locator("#banner")
    expect(banner).to_contain_text("turned to Esophagus; what is shown here is Heart")
    for card in ("#approved", "#flow", "#structures"):
        expect(shown.page.locator(card)).to_be_hidden()
    # The one that goes on still has the case.
    elsewhere.drag((x - 60, y + 30), (x - 30, y + 30))
    elsewhere.saved(2)
    banner.get_by_role("button", name="Reload").click()
    expect(shown.page.locator("header b").first).to_have_text("Esophagus review")


def test_what_cannot_be_saved_keeps_the_page_at_its_structure(
    open_page: OpenPage, site: Site, case_id: str
) -> None:
    review = ReviewPage.open(open_page(), site, case_id, GEOMETRY)
    review.page.route("**/turn", lambda route: route.abort())
    review.page.locator("#structure-rows [data-roi=Esophagus]").click()
    banner = review.page.locator("#banner")
    expect(banner).to_contain_text("Still at Heart")
    banner.get_by_role("button", name="Go on here").click()
    review.wait(ready="true", voxels=int(HEART.sum()))
    assert site.store.cases.get(case_id).under_review is None
