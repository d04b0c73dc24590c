"""The box that painting keeps to, in a real browser: proposed, dragged in every plane, held."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect
from scipy import ndimage

from core.geometry import Mask
from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT, GEOMETRY, HEART, corrected
from tests.browser.review_page import PLANES, ReviewPage
from tests.browser.test_touch import Hand
from tests.browser.tool_oracles import SPACING_MM, pixel_of
from tests.support.review_case import put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def said(low: np.ndarray, high: np.ndarray) -> str:
    """As the page tells a box: x y z of its first and last voxel."""
    return " ".join(str(at) for at in [*low[::-1], *high[::-1]])


def inside(low: np.ndarray, high: np.ndarray) -> Mask:
    mask = np.zeros(GEOMETRY.shape, bool)
    mask[tuple(slice(first, last + 1) for first, last in zip(low, high, strict=True))] = True
    return mask


def test_nothing_outside_the_box_is_painted_and_its_sides_are_dragged_in_every_plane(
    open_page: OpenPage, site: Site
) -> None:
    case_id = put_case(site.store, CT, prediction=HEART)
    review = ReviewPage.open(open_page(has_touch=True), site, case_id, GEOMETRY)
    page, state, seq = review.page, HEART.copy(), 0
    page.keyboard.press("m")
    page.keyboard.press("y")

    voxels, steps = np.argwhere(HEART), np.ceil(20.0 / SPACING_MM).astype(int)
    low = np.maximum(voxels.min(0) - steps, 0)
    high = np.minimum(voxels.max(0) + steps, np.array(GEOMETRY.shape) - 1)
    review.wait(box=said(low, high))
    expect(page.locator("#touches-box")).to_have_text("no")

    for plane, (_, across, _, _) in PLANES.items():
        # Its right side comes nearer by 12 mm.
        at = np.array(review.voxel_at(plane, review.middle(plane)))
        start, end = at.copy(), at.copy()
        start[across], end[across] = high[across], high[across] - round(12 / SPACING_MM[across])
        side, target = pixel_of(review, plane, tuple(start)), pixel_of(review, plane, tuple(end))
        half_voxel_px = SPACING_MM[across] / 2 * float(review.data_of(plane, "scale"))
        side = side[0] + round(half_voxel_px), side[1]
        page.mouse.move(*side)
        expect(page.locator(f"#{plane}")).to_have_class("on-side")
        if plane == "coronal":
            Hand(page.context.new_cdp_session(page)).stroke(side, target)
        else:
            review.drag(side, target)
        high[across] = end[across]
        review.wait(box=said(low, high))

        # A stroke across that side, and a little down.
        beyond = (target[0] + 30, target[1] + 8)
        begin = (target[0] - 40, target[1])
        disc = review.disc(plane, begin, beyond, 8.0)
        assert (disc & ~inside(low, high)).any()
        review.drag(begin, beyond)
        seq += 1
        review.saved(seq)
        state |= disc & inside(low, high)
        np.testing.assert_array_equal(corrected(site, case_id), state)
    expect(page.locator("#touches-box")).to_have_text("yes")

    # What tools propose keeps to it, too.
    for _ in range(4):
        page.keyboard.press("+")
    expect(page.locator("#proposal-words")).to_contain_text("Grow by 4 mm")
    page.keyboard.press("v")
    review.saved(seq + 1)
    grown = ndimage.distance_transform_edt(~state, sampling=SPACING_MM) <= 4.0 + 1e-9
    assert (grown & ~inside(low, high)).any()
    state |= grown & inside(low, high)
    np.testing.assert_array_equal(corrected(site, case_id), state)

    # Off, it holds nothing back; on again, it is where it was left.
    page.keyboard.press("y")
    review.wait(box="")
    page.keyboard.press("z")
    review.saved(seq + 2)
    page.keyboard.press("y")
    review.wait(box=said(low, high))
