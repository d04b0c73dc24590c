"""The case that follows is prepared while the present one is on the screen."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT
from tests.browser.review_page import ReviewPage
from tests.support.review_case import NOW, box_mask, put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_next_case_is_prepared_and_neither_opened_nor_locked(
    open_page: OpenPage, site: Site
) -> None:
    heart = box_mask(CT.geometry, (slice(2, 4), slice(3, 6), slice(4, 9)))
    first, second = (put_case(site.store, CT, prediction=heart) for _ in range(2))
    page = open_page()
    review = ReviewPage.open(page, site, first, CT.geometry)
    review.wait(prepared=second)
    assert site.store.cases.get(second).state == "PREDICTED"
    assert site.store.reviews.holder(second, now=NOW) is None
    page.click("#save-next")
    page.wait_for_url(f"**/cases/{second}")
    review.wait(ready="true")
