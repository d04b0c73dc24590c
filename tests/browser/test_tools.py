"""Contouring tools in a real browser: what is kept is what brute force says they change."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import expect
from scipy import ndimage

from core.geometry import Mask
from core.volume import Volume
from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT, GEOMETRY, HEART, corrected, ellipsoid
from tests.browser.review_page import PLANES, Point, ReviewPage
from tests.support.review_case import put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SPACING_MM = np.array(GEOMETRY.spacing_mm)


def opened(
    open_page: OpenPage, site: Site, *, prediction: Mask | None = HEART, ct: Volume = CT
) -> tuple[ReviewPage, str]:
    """A case open for review, its proposals for neighbouring slices switched off."""
    case_id = put_case(site.store, ct, prediction=prediction)
    review = ReviewPage.open(open_page(), site, case_id, ct.geometry)
    review.page.keyboard.press("m")
    expect(review.page.locator("#propagate")).to_have_attribute("aria-pressed", "false")
    return review, case_id


def on_slice(plane: str, index: int) -> Mask:
    """All voxels of one slice."""
    mask = np.zeros(GEOMETRY.shape, bool)
    np.moveaxis(mask, PLANES[plane][0], 0)[index] = True
    return mask


def test_ball_smart_brush_push_and_lasso_in_every_plane(open_page: OpenPage, site: Site) -> None:
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

        page.keyboard.press("l")
        corners = [(x - 60, y - 20), (x + 8, y - 52), (x + 33, y + 30), (x - 41, y + 47)]
        inside = inside_polygon(review, plane, corners)
        draw(review, corners, button="right")
        done(state & ~inside, "lasso, remove")
        page.keyboard.press("b")
    assert review.voxels == state.sum()

    # All of it goes back one by one, across planes, and after a reload.
    page.reload()
    review.wait(ready="true", seq=seq, voxels=int(state.sum()))
    assert review.data("undo").startswith("lasso, remove, coronal")
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
    # The prediction reaches 10 mm too far into the fat, over nine slices and more.
    bulge = ellipsoid((0.5, 0.48, 0.76), (14.0, 12.0, 12.0)) & ~HEART
    case_id = put_case(site.store, CT, prediction=HEART | bulge)
    review = ReviewPage.open(open_page(), site, case_id, GEOMETRY)
    page = review.page
    page.keyboard.press("h")
    start, end = outer_edge(review, bulge)
    review.drag(start, end, button="right")
    review.saved(1)
    review.wait(proposal="propagate")
    after_one = corrected(site, case_id, HEART | bulge)
    here = on_slice("axial", review.slice_of("axial"))
    assert not (after_one & ~HEART & here).any()
    proposed = int(review.data("proposed"))
    page.keyboard.press("v")
    review.saved(2)
    after_two = corrected(site, case_id, HEART | bulge)
    assert after_one.sum() - after_two.sum() == proposed
    # What was wrong is right, what was right still is.
    np.testing.assert_array_equal(after_two & HEART, HEART)
    assert (after_two & ~HEART).sum() < 0.1 * bulge.sum()
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


# ---- what must come out, by another way


def spot(review: ReviewPage, plane: str, point: Point) -> npt.NDArray[np.float64]:
    """Where a pixel of the window is, mm along (across, down) from the volume's first edge."""
    _, _, down, flipped = PLANES[plane]
    across_mm, down_mm = review.to_mm(plane, point)
    height_mm = GEOMETRY.shape[down] * SPACING_MM[down]
    return np.array([across_mm, height_mm - down_mm if flipped else down_mm])


def pixel_of(review: ReviewPage, plane: str, voxel: tuple[int, ...]) -> Point:
    """The pixel of the window nearest to a voxel's centre, by search around the middle."""
    _, across, down, _ = PLANES[plane]
    wanted = np.array([(voxel[axis] + 0.5) * SPACING_MM[axis] for axis in (across, down)])
    x, y = review.middle(plane)
    here, right, below = (spot(review, plane, at) for at in ((x, y), (x + 100, y), (x, y + 100)))
    steps = np.stack([right - here, below - here], 1) / 100
    offset = np.linalg.solve(steps, wanted - here)
    return round(x + offset[0]), round(y + offset[1])


def voxel_at(review: ReviewPage, plane: str, point: Point) -> tuple[int, ...]:
    """The voxel under a pixel of the window."""
    normal, across, down, _ = PLANES[plane]
    voxel = [0, 0, 0]
    voxel[normal] = review.slice_of(plane)
    for axis, mm in zip((across, down), spot(review, plane, point), strict=True):
        voxel[axis] = int(mm // SPACING_MM[axis])
    return tuple(voxel)


def edge_of(review: ReviewPage, plane: str, mask: Mask) -> tuple[Point, Point]:
    """A way from 12 mm within a structure on the shown slice to beyond its right edge."""
    _, across, down, _ = PLANES[plane]
    voxels = np.argwhere(mask)
    middle = np.round(np.median(voxels[:, down]))
    row = voxels[voxels[:, down] == middle]
    last = row[row[:, across].argmax()]
    start = last.copy()
    start[across] -= round(12 / SPACING_MM[across])
    end = last.copy()
    end[across] += round(6 / SPACING_MM[across])
    return pixel_of(review, plane, tuple(start)), pixel_of(review, plane, tuple(end))


def outer_edge(review: ReviewPage, bulge: Mask) -> tuple[Point, Point]:
    """A way through the middle of a bulge on the shown axial slice, from top to bottom."""
    voxels = np.argwhere(bulge & on_slice("axial", review.slice_of("axial")))
    column = round(float(np.median(voxels[:, 2])))
    rows = voxels[voxels[:, 2] == column][:, 1]
    k = review.slice_of("axial")
    top, bottom = (k, int(rows.min()), column), (k, int(rows.max()), column)
    return pixel_of(review, "axial", top), pixel_of(review, "axial", bottom)


def ball_along(review: ReviewPage, plane: str, start: Point, end: Point, radius_mm: float) -> Mask:
    """Voxels within `radius_mm` of the way of the mouse, in space."""
    normal, across, down, _ = PLANES[plane]
    ends = []
    for point in (start, end):
        mm = np.zeros(3)
        mm[normal] = (review.slice_of(plane) + 0.5) * SPACING_MM[normal]
        mm[[across, down]] = spot(review, plane, point)
        ends.append(mm)
    way = ends[1] - ends[0]
    centres = (np.moveaxis(np.indices(GEOMETRY.shape), 0, -1) + 0.5) * SPACING_MM - ends[0]
    along = np.clip(centres @ way / (way @ way), 0, 1)
    return np.asarray(np.linalg.norm(centres - along[..., None] * way, axis=-1) <= radius_mm)


def fitted_mm(review: ReviewPage, plane: str, point: Point, mask: Mask, here: Mask) -> float:
    """The radius up to 8 mm at which a disc pressed down inside just stays inside."""
    _, across, down, _ = PLANES[plane]
    outside = (np.argwhere(here & ~mask)[:, [across, down]] + 0.5) * SPACING_MM[[across, down]]
    nearest = float(np.linalg.norm(outside - spot(review, plane, point), axis=1).min())
    return min(8.0, nearest - 1e-6)


def inside_polygon(review: ReviewPage, plane: str, corners: list[Point]) -> Mask:
    """Voxels of the shown slice whose centre lies inside, by crossings of a ray."""
    normal, across, down, _ = PLANES[plane]
    points = [spot(review, plane, corner) for corner in corners]
    indices = np.indices(GEOMETRY.shape)
    a = (indices[across] + 0.5) * SPACING_MM[across]
    d = (indices[down] + 0.5) * SPACING_MM[down]
    inside = np.zeros(GEOMETRY.shape, bool)
    for (a0, d0), (a1, d1) in zip(points, points[1:] + points[:1], strict=True):
        crosses = (a0 > a) != (a1 > a)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (d < d0 + (a - a0) / (a1 - a0) * (d1 - d0))
    return np.asarray(inside & (indices[normal] == review.slice_of(plane)), np.bool_)


def draw(review: ReviewPage, corners: list[Point], *, button: str) -> None:
    """Drag along corners; the tool closes the line."""
    mouse = review.page.mouse
    mouse.move(*corners[0])
    mouse.down(button=button)  # type: ignore[arg-type]  # a Literal there
    for corner in corners[1:]:
        mouse.move(*corner)
    mouse.up(button=button)  # type: ignore[arg-type]  # a Literal there


def interpolated(mask: Mask, plane: str, low: int, high: int) -> Mask:
    """The slices between two, where the weighted signed distances of both are above zero."""
    normal, across, down, _ = PLANES[plane]
    order = (normal, across, down)
    slices = np.transpose(mask, order)
    sampling = SPACING_MM[[across, down]]

    def signed_mm(index: int) -> npt.NDArray[np.float64]:
        inside = ndimage.distance_transform_edt(slices[index], sampling=sampling)
        outside = ndimage.distance_transform_edt(~slices[index], sampling=sampling)
        return np.asarray(inside - outside)

    found = np.zeros_like(slices)
    for index in range(low + 1, high):
        share = (index - low) / (high - low)
        found[index] = (1 - share) * signed_mm(low) + share * signed_mm(high) > 1e-9
    return np.transpose(found, np.argsort(order))
