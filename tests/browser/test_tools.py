"""Contouring tools in a real browser: what is kept is what brute force says they change."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect
from scipy import ndimage

from core.geometry import Mask
from core.volume import Volume
from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT, GEOMETRY, HEART, corrected, ellipsoid
from tests.browser.review_page import PLANES, ReviewPage
from tests.browser.tool_oracles import (
    SPACING_MM,
    ball_along,
    draw,
    edge_of,
    fitted_mm,
    followed,
    inside_polygon,
    interpolated,
    on_slice,
    outer_edge,
    voxel_at,
)
from tests.support.review_case import put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def opened(
    open_page: OpenPage, site: Site, *, prediction: Mask | None = HEART, ct: Volume = CT
) -> tuple[ReviewPage, str]:
    """A case open for review, its proposals for neighbouring slices switched off."""
    case_id = put_case(site.store, ct, prediction=prediction)
    review = ReviewPage.open(open_page(), site, case_id, ct.geometry)
    review.page.keyboard.press("m")
    expect(review.page.locator("#propagate")).to_have_attribute("aria-pressed", "false")
    return review, case_id


def test_every_tool_under_the_hand_in_every_plane(open_page: OpenPage, site: Site) -> None:
    review, case_id = opened(open_page, site)
    page = review.page
    state, seq = HEART.copy(), 0

    def done(expected: Mask, name: str) -> None:
        nonlocal seq, state
        seq += 1
        review.saved(seq)
        assert expected.sum() != state.sum()
        np.testing.assert_array_equal(corrected(site, case_id), expected)
        assert review.data("undo").startswith(name)
        state = expected

    for plane in PLANES:
        x, y = review.middle(plane)
        here = on_slice(plane, review.slice_of(plane))

        page.keyboard.press("Shift+B")
        start, end = edge_of(review, plane, state & here)
        ball = ball_along(review, plane, start, end, 8.0)
        review.drag(start, end)
        done(state | ball, "ball brush, add")

        page.keyboard.press("h")
        start, end = edge_of(review, plane, state & here)
        # The same tissue alone: the heart's HU are 45, all around them -80 or less.
        disc = review.disc(plane, start, end, 8.0)
        review.drag(start, end, button="right")
        done(
            state & ~(disc & (np.abs(CT.values - CT.values[voxel_at(review, plane, start)]) <= 50)),
            "smart brush, remove",
        )

        page.keyboard.press("p")
        start, end = edge_of(review, plane, state & here)
        radius_mm = fitted_mm(review, plane, start, state, here)
        pushed = review.disc(plane, start, end, radius_mm)
        review.drag(start, end)
        done(state | pushed, "push, add")

        # From outside it pushes inwards.
        end, start = edge_of(review, plane, state & here)
        radius_mm = fitted_mm(review, plane, start, ~state, here)
        pushed = review.disc(plane, start, end, radius_mm)
        review.drag(start, end)
        done(state & ~pushed, "push, remove")

        page.keyboard.press("l")
        corners = [(x - 60, y - 20), (x + 8, y - 52), (x + 33, y + 30), (x - 41, y + 47)]
        inside = inside_polygon(review, plane, corners)
        draw(review, corners, button="right")
        done(state & ~inside, "lasso, remove")
        # Across a line of its own: what is encircled twice stays outside.
        corners = [(x - 30, y - 40), (x + 44, y + 36), (x + 41, y - 37), (x - 33, y + 42)]
        draw(review, corners, button="left")
        done(state | inside_polygon(review, plane, corners), "lasso, add")

        page.keyboard.press("b")
        page.keyboard.press("e")
        start, end = (x - 25, y - 35), (x + 45, y + 20)
        erased = review.disc(plane, start, end, 8.0)
        review.drag(start, end)
        done((state & ~erased) | (HEART & erased), "brush, erase")
        page.keyboard.press("q")
    assert review.voxels == state.sum()

    # All of it goes back one by one, across planes, and after a reload.
    page.reload()
    review.wait(ready="true", seq=seq, voxels=int(state.sum()))
    assert review.data("undo").startswith("brush, erase, coronal")
    for _ in range(seq):
        page.keyboard.press("z")
    review.saved(2 * seq)
    np.testing.assert_array_equal(corrected(site, case_id), HEART)
    page.keyboard.press("Shift+Z")
    review.saved(2 * seq + 1)
    assert review.data("undo").startswith("ball brush, add, axial")


def test_a_slice_is_filled_in_every_plane(open_page: OpenPage, site: Site) -> None:
    shell = HEART & ~ellipsoid((0.5, 0.48, 0.55), (25.0, 20.0, 24.0))
    review, case_id = opened(open_page, site, prediction=shell)
    expected = shell
    for seq, plane in enumerate(PLANES, start=1):
        review.page.mouse.move(*review.middle(plane))
        review.page.keyboard.press("g")
        review.saved(seq)
        here = on_slice(plane, review.slice_of(plane))
        across = np.moveaxis(expected, PLANES[plane][0], 0)[review.slice_of(plane)]
        filled = np.zeros_like(expected)
        np.moveaxis(filled, PLANES[plane][0], 0)[review.slice_of(plane)] = (
            ndimage.binary_fill_holes(across)
        )
        assert (filled & ~expected).any()
        assert not (filled & ~here).any()
        expected = expected | filled
        np.testing.assert_array_equal(corrected(site, case_id, shell), expected)


@pytest.mark.parametrize("plane", PLANES)
def test_from_scratch_every_third_slice_and_the_rest_interpolated(
    open_page: OpenPage, site: Site, plane: str
) -> None:
    review, case_id = opened(open_page, site, prediction=None)
    page = review.page
    x, y = review.middle(plane)
    first = review.slice_of(plane)
    for number, half_px in enumerate((30, 45, 38)):
        page.mouse.move(x, y)
        if number:
            for _ in range(3):
                page.mouse.wheel(0, -120)
        page.wait_for_selector(f'#{plane}[data-slice="{first + 3 * number}"]')
        review.drag((x - half_px, y), (x + half_px, y + 10 * number))
        review.saved(number + 1)
    drawn = corrected(site, case_id, None)
    page.keyboard.press("n")
    review.wait(proposal="interpolate")
    assert review.data("seq") == "3"
    np.testing.assert_array_equal(corrected(site, case_id, None), drawn)
    page.keyboard.press("v")
    review.saved(4)
    review.wait(proposal="")
    expected = drawn.copy()
    for low in (first, first + 3):
        expected |= interpolated(drawn, plane, low, low + 3)
    assert (expected & ~drawn).sum() > 100
    np.testing.assert_array_equal(corrected(site, case_id, None), expected)
    assert review.voxels == expected.sum()
    page.reload()
    review.wait(ready="true", seq=4)
    assert review.data("undo") == "interpolate"
    page.keyboard.press("z")
    review.saved(5)
    np.testing.assert_array_equal(corrected(site, case_id, None), drawn)


def test_pieces_holes_and_margins(open_page: OpenPage, site: Site) -> None:
    hole = ellipsoid((0.5, 0.48, 0.55), (6.0, 6.0, 6.0))
    large, small = (
        ellipsoid((0.5, 0.15, at), (9.0, 9.0, 9.0 / shrink)) for at, shrink in ((0.2, 1), (0.8, 6))
    )
    prediction = (HEART & ~hole) | large | small
    assert ndimage.label(prediction)[1] == 3
    assert small.sum() * SPACING_MM.prod() < 1000 < large.sum() * SPACING_MM.prod()
    review, case_id = opened(open_page, site, prediction=prediction)
    page = review.page

    def kept(seq: int) -> Mask:
        review.saved(seq)
        return corrected(site, case_id, prediction)

    page.keyboard.press("Shift+K")
    np.testing.assert_array_equal(kept(1), prediction & ~small)
    page.keyboard.press("k")
    np.testing.assert_array_equal(kept(2), HEART & ~hole)
    page.click("#fill-holes")
    np.testing.assert_array_equal(kept(3), HEART)
    expect(page.locator("#proposal-words")).to_contain_text("Holes")

    for _ in range(4):
        page.keyboard.press("+")
    page.keyboard.press("-")
    expect(page.locator("#proposal-words")).to_contain_text("Grow by 3 mm")
    page.click("#take-proposal")
    distance_mm = ndimage.distance_transform_edt(~HEART, sampling=SPACING_MM)
    grown = distance_mm <= 3.0 + 1e-9
    np.testing.assert_array_equal(kept(4), grown)

    page.click("#shrink")
    page.click("#shrink")
    expect(page.locator("#proposal-words")).to_contain_text("Shrink by 2 mm")
    page.keyboard.press("v")
    depth_mm = ndimage.distance_transform_edt(grown, sampling=SPACING_MM)
    np.testing.assert_array_equal(kept(5), grown & (depth_mm > 2.0 + 1e-9))

    # Looked at and dismissed: nothing is kept, and nothing is left to take.
    page.keyboard.press("+")
    expect(page.locator("#proposal-words")).to_have_text("Grow by 1 mm: nothing to change.")
    page.keyboard.press("=")
    review.wait(proposal="grow")
    page.keyboard.press("Escape")
    review.wait(proposal="")
    page.keyboard.press("v")
    page.keyboard.press("z")
    np.testing.assert_array_equal(kept(6), grown)
    expect(page.locator("#undo")).to_have_attribute("title", "Undo: grow (Z)")
    expect(page.locator("#redo")).to_have_attribute("title", "Redo: shrink (Shift+Z)")


def test_a_correction_is_proposed_for_neighbouring_slices_and_taken_by_one_key(
    open_page: OpenPage, site: Site
) -> None:
    page = open_page()
    # The prediction reaches 10 mm too far into the fat, over nine slices and more of each plane.
    left, back = (0.5, 0.48, 0.76), (0.5, 0.66, 0.55)
    for plane, centre in {"axial": left, "sagittal": back, "coronal": left}.items():
        bulge = ellipsoid(centre, (14.0, 12.0, 12.0)) & ~HEART
        case_id = put_case(site.store, CT, prediction=HEART | bulge)
        review = ReviewPage.open(page, site, case_id, GEOMETRY)
        here = on_slice(plane, review.slice_of(plane))
        page.keyboard.press("h")
        start, end = outer_edge(review, plane, bulge & here)
        review.drag(start, end, button="right")
        review.saved(1)
        review.wait(proposal="propagate")
        after_one = corrected(site, case_id, HEART | bulge)
        assert not (after_one & ~HEART & here).any()
        np.testing.assert_array_equal(after_one & ~here, (HEART | bulge) & ~here)
        expected = followed(after_one, (HEART | bulge) & ~after_one, plane, review.slice_of(plane))
        review.wait(proposed=int(expected.sum()))
        page.keyboard.press("v")
        review.saved(2)
        after_two = corrected(site, case_id, HEART | bulge)
        np.testing.assert_array_equal(after_two, after_one & ~expected)
        # What was wrong is right, what was right still is, but for a voxel at a corner.
        assert (after_two & ~HEART).sum() < 0.1 * bulge.sum()
        assert (HEART & ~after_two).sum() <= 2
        page.reload()
        review.wait(ready="true", seq=2, voxels=int(after_two.sum()), undo="same on other slices")
        page.keyboard.press("z")
        review.saved(3)
        np.testing.assert_array_equal(corrected(site, case_id, HEART | bulge), after_one)


def test_painting_on_dismisses_what_was_proposed(open_page: OpenPage, site: Site) -> None:
    case_id = put_case(site.store, CT, prediction=HEART)
    review = ReviewPage.open(open_page(), site, case_id, GEOMETRY)
    x, y = review.middle("axial")
    review.drag((x, y), (x + 10, y), button="right")
    review.wait(proposal="propagate")
    review.page.mouse.move(x + 40, y)
    review.page.mouse.down(button="right")
    review.wait(proposal="")
    review.page.mouse.up(button="right")
    review.wait(proposal="propagate", seq=2, pending=0)
