"""A review without a mouse: everything but drawing by hand can be reached and done by key."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from scipy import ndimage

from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT, GEOMETRY, HEART, corrected
from tests.browser.review_page import ReviewPage
from tests.support.review_case import put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def tab_to(page: Page, selector: str) -> None:
    """Go on by Tab until the element has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"{selector} is not reached by Tab")


def test_from_the_worklist_to_an_approval(open_page: OpenPage, site: Site) -> None:
    case_id = put_case(site.store, CT, prediction=HEART)
    page = open_page()
    page.wait_for_selector("#rows a.primary")
    tab_to(page, "#rows a.primary")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}/cases/{case_id}")
    review = ReviewPage(page, GEOMETRY)
    review.wait(ready="true")

    # Space moves the picture, also after a click on a button; one that Tab reached it presses.
    page.click("#tool-remove")
    page.click("#tool-add")
    page.keyboard.press("w")
    page.keyboard.down("Space")
    expect(page.locator("#views")).to_have_class("views grabbing")
    page.keyboard.up("Space")
    review.wait(tool="remove")

    first = review.slice_of("axial")
    page.keyboard.press("ArrowUp")
    review.wait(slice=first + 1)
    page.keyboard.press("+")
    page.keyboard.press("+")
    review.wait(proposal="grow")
    tab_to(page, "#take-proposal")
    page.keyboard.press("Space")
    review.saved(1)
    distance_mm = ndimage.distance_transform_edt(~HEART, sampling=GEOMETRY.spacing_mm)
    np.testing.assert_array_equal(corrected(site, case_id), distance_mm <= 2.0)

    tab_to(page, "#approve")
    page.keyboard.press("Enter")
    expect(page.locator("#confirm-approve")).to_be_enabled()
    page.keyboard.press("Escape")
    expect(page.locator("#approve-dialog")).to_be_hidden()
    page.keyboard.press("Enter")  # the focus is where it was
    expect(page.locator("#confirm-approve")).to_be_enabled()
    tab_to(page, "#confirm-approve")
    page.keyboard.press("Enter")
    review.wait(state="APPROVED")
