"""Who has a case, what comes for it meanwhile, and going on to the next, in a real browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from app.clinic import wait_for
from tests.browser.conftest import OpenPage, Site, answers_lost
from tests.browser.reference_case import CT, DOSE, GEOMETRY, HEART, kept_strokes
from tests.browser.review_page import ReviewPage
from tests.support.review_case import another_object, put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def case_id(site: Site) -> str:
    return put_case(site.store, CT, prediction=HEART, dose=DOSE)


@pytest.fixture
def review(open_page: OpenPage, site: Site, case_id: str) -> ReviewPage:
    return ReviewPage.open(open_page(), site, case_id, GEOMETRY)


def test_a_second_tab_takes_over_and_the_first_one_says_so(
    review: ReviewPage, site: Site, case_id: str
) -> None:
    page = review.page
    # It is the stroke that learns of it.
    with answers_lost(page, "**/renew"):
        second = ReviewPage.open(page.context.new_page(), site, case_id, GEOMETRY)
        x, y = second.middle("axial")
        second.drag((x - 90, y), (x - 90, y))
        second.saved(1)
        page.bring_to_front()
        review.drag((x - 90, y + 60), (x - 90, y + 60))
        expect(page.locator("#banner")).to_contain_text("in another tab")
        # The stroke that came too late stays on the screen, and is said not to be saved.
        expect(page.locator("#banner")).to_contain_text("1 change could not be saved")
        expect(page.locator("#save-status")).to_have_text("Not saved: 1 change")
        expect(page.locator("#approve")).to_be_disabled()
        assert review.voxels > HEART.sum()
        assert len(kept_strokes(site, case_id)) == 1
    # Going on here costs what is not saved, so the browser asks.
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Take over here").click()
    review.wait(ready="true", seq=1, pending=0)
    review.drag((x - 90, y + 60), (x - 90, y + 60))
    review.saved(2)


def test_an_open_page_takes_the_case_from_no_other_tab(
    open_page: OpenPage, site: Site, case_id: str
) -> None:
    page = open_page()
    page.clock.install()
    review = ReviewPage.open(page, site, case_id, GEOMETRY)
    second = ReviewPage.open(page.context.new_page(), site, case_id, GEOMETRY)
    page.bring_to_front()
    page.clock.fast_forward("01:00")
    banner = page.locator("#banner")
    expect(banner).to_contain_text("You went on with this case in another tab.")
    expect(banner).to_have_class("banner note")
    # Reading goes on, painting does not.
    x, y = review.middle("axial")
    before = review.voxels
    review.drag((x - 90, y), (x - 60, y))
    assert (review.voxels, review.data("pending")) == (before, "0")
    first = review.slice_of("axial")
    page.keyboard.press("r")
    review.wait(slice=first + 1)

    second.page.bring_to_front()
    second.drag((x - 90, y), (x - 90, y))
    second.saved(1)
    page.bring_to_front()
    page.get_by_role("button", name="Take over here").click()
    review.wait(ready="true", seq=1, voxels=second.voxels)
    review.drag((x - 90, y + 60), (x - 90, y + 60))
    review.saved(2)


def test_a_case_that_another_reviewer_took_is_not_offered(
    review: ReviewPage, site: Site, case_id: str
) -> None:
    tab, later = "b" * 32, datetime.now(UTC) + timedelta(hours=1)
    site.store.reviews.open(case_id, "Heart", who="berta", tab=tab, now=later, lock_s=600)
    x, y = review.middle("axial")
    review.drag((x - 90, y), (x - 90, y))
    banner = review.page.locator("#banner")
    expect(banner).to_contain_text("berta has taken this case over.")
    expect(banner.get_by_role("button")).to_have_text("Reload")


def test_a_slice_that_comes_during_review_is_told_before_approval(
    open_page: OpenPage, site: Site, case_id: str
) -> None:
    page = open_page()
    page.clock.install()
    ReviewPage.open(page, site, case_id, GEOMETRY)
    expect(page.locator("#flags")).to_be_empty()
    another_object(site.store, case_id)
    page.click("#approve")
    expect(page.locator("#approve-flags")).to_contain_text("1 slice(s) came after the review began")
    page.click("#cancel-approve")
    # Without a click the next sign of life brings it.
    another_object(site.store, case_id)
    page.clock.fast_forward("01:00")
    flag = page.locator("#flags .attention")
    expect(flag).to_contain_text("2 slice(s) came after the review began")
    assert flag.evaluate("element => getComputedStyle(element).color") == "rgb(229, 181, 103)"


def test_save_and_next_opens_the_next_case(review: ReviewPage, site: Site, case_id: str) -> None:
    other = put_case(site.store, CT, patient_id="P-002", patient_name="Synthetic^Berta")
    review.page.click("#save-next")
    review.page.wait_for_url(f"{site.url}/cases/{other}")
    review.wait(ready="true")
    expect(review.page.locator("header")).to_contain_text("Synthetic, Berta")
    # The case that was left is free again, with everything that was painted on it.
    now = site.store.cases.get(other).updated_at
    is_free = lambda: case_id not in site.store.reviews.holders(now=now)  # noqa: E731
    wait_for(is_free, timeout_s=60, what="the case to be given back")


def test_save_and_next_leaves_alone_what_another_reviewer_has(
    review: ReviewPage, site: Site
) -> None:
    held = put_case(site.store, CT, patient_id="P-003", patient_name="Synthetic^Clara")
    now = datetime.now(UTC)
    site.store.reviews.open(held, "Heart", who="berta", tab="b" * 32, now=now, lock_s=600)
    review.page.click("#save-next")
    review.page.wait_for_url(f"{site.url}/")
