"""Reviewing in a real browser: what the hand does is what the node keeps."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect
from playwright.sync_api import Error as PlaywrightError
from scipy import ndimage

from app.phantom import make_phantom, phantom_dose
from core.geometry import Mask
from tests.browser.conftest import Complaints, OpenPage, Site, answers_lost, log_in
from tests.browser.looks import cut_or_overflowing
from tests.browser.reference_case import CT, DOSE, GEOMETRY, HEART, corrected, kept_strokes
from tests.browser.review_page import PLANES, ReviewPage
from tests.support.browser import launch
from tests.support.review_case import put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def case_id(site: Site) -> str:
    return put_case(site.store, CT, prediction=HEART, dose=DOSE)


@pytest.fixture
def review(open_page: OpenPage, site: Site, case_id: str) -> ReviewPage:
    return ReviewPage.open(open_page(), site, case_id, GEOMETRY)


def test_from_the_worklist_to_the_open_case(open_page: OpenPage, site: Site, case_id: str) -> None:
    page = open_page()
    row = page.locator(f'tr[data-case-id="{case_id}"]')
    expect(row).to_contain_text("Synthetic, Alma")
    expect(row).to_contain_text("ready for review")
    row.get_by_role("link", name="Review").click()
    review = ReviewPage(page, GEOMETRY)
    review.wait(ready="true", state="IN_REVIEW", pending=0, voxels=int(HEART.sum()))
    expect(page.locator("header")).to_contain_text("Synthetic, Alma")
    expect(page.locator("#mean-dose")).to_have_text("3.00 Gy")
    # The view opens on the middle of the predicted structure.
    assert HEART[review.slice_of("axial")].any()
    assert review.data("slice") == str(review.slice_of("axial"))


@pytest.mark.parametrize("scale_factor", [1, 2], ids=["one dot a pixel", "two dots a pixel"])
def test_in_every_plane_exactly_the_voxels_under_the_brush_are_kept(
    open_page: OpenPage, site: Site, case_id: str, scale_factor: int
) -> None:
    page = open_page(device_scale_factor=scale_factor)
    review = ReviewPage.open(page, site, case_id, GEOMETRY)
    expected: list[tuple[str, Mask]] = []
    for plane in PLANES:
        x, y = review.middle(plane)
        # A dab, and a stroke that ends elsewhere; the brush has 8 mm.
        for start, end in [
            ((x - 40, y + 21), (x - 40, y + 21)),
            ((x + 30, y - 45), (x + 83, y + 12)),
        ]:
            # Earlier strokes in other planes cross this slice: only what changed is journaled.
            before = sum((mask for _, mask in expected), np.zeros(GEOMETRY.shape, bool))
            disc = review.disc(plane, start, end, 8.0)
            review.drag(start, end)
            review.saved(len(expected) + 1)
            expected.append(("add", disc & ~before))
    kept = kept_strokes(site, case_id)
    assert [tool for tool, _ in kept] == ["add"] * 6
    for (_, painted), (_, disc) in zip(kept, expected, strict=True):
        assert disc.sum() > 20
        np.testing.assert_array_equal(painted, disc)


def test_the_brush_stays_exact_when_zoomed_moved_and_resized(
    review: ReviewPage, site: Site, case_id: str
) -> None:
    page = review.page
    x, y = review.middle("axial")
    page.mouse.move(x + 60, y - 30)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    review.drag((x, y), (x + 37, y + 11), button="middle")
    page.keyboard.press("]")
    page.keyboard.press("]")
    expect(page.locator("#brush-label")).to_have_text("Brush radius 10 mm")
    start, end = (x - 51, y + 33), (x + 20, y - 47)
    review.page.mouse.move(*start)
    disc = review.disc("axial", start, end, 10.0)
    review.drag(start, end)
    review.saved(1)
    np.testing.assert_array_equal(kept_strokes(site, case_id)[0][1], disc)


def test_the_right_button_does_the_opposite(review: ReviewPage, site: Site, case_id: str) -> None:
    x, y = review.middle("axial")
    review.drag((x, y), (x + 20, y), button="right")
    review.saved(1)
    review.page.keyboard.press("w")
    review.wait(tool="remove")
    review.drag((x - 60, y), (x - 60, y + 10), button="right")
    review.saved(2)
    assert [tool for tool, _ in kept_strokes(site, case_id)] == ["remove", "add"]
    assert review.voxels == corrected(site, case_id).sum()


def test_erasing_brings_the_prediction_back(review: ReviewPage, site: Site, case_id: str) -> None:
    x, y = review.middle("axial")
    review.drag((x, y), (x, y), button="right")
    review.saved(1)
    assert review.voxels < HEART.sum()
    review.page.keyboard.press("e")
    review.drag((x, y), (x, y))
    review.saved(2)
    assert review.voxels == HEART.sum()
    np.testing.assert_array_equal(corrected(site, case_id), HEART)


def test_undo_and_redo_go_across_slices(review: ReviewPage, site: Site, case_id: str) -> None:
    page = review.page
    x, y = review.middle("axial")
    first = review.slice_of("axial")
    counts = [review.voxels]
    for seq in (1, 2, 3):
        review.drag((x + 100, y - 90 + 20 * seq), (x + 120, y - 90))
        review.saved(seq)
        counts.append(review.voxels)
        page.mouse.wheel(0, -120)
        review.wait(slice=first + seq)
    assert len(set(counts)) == 4
    for seq, key in enumerate(["z", "Control+z", "z"], start=4):
        page.keyboard.press(key)
        review.saved(seq)
        assert review.voxels == counts[6 - seq]
    assert page.is_disabled("#undo")
    for seq, key in enumerate(["Shift+Z", "Control+y", "Control+Shift+Z"], start=7):
        page.keyboard.press(key)
        review.saved(seq)
        assert review.voxels == counts[seq - 6]
    assert corrected(site, case_id).sum() == counts[3]


def test_a_browser_that_dies_loses_at_most_the_stroke_under_the_hand(
    playwright_driver: Playwright, open_page: OpenPage, site: Site, case_id: str
) -> None:
    doomed = launch(playwright_driver)
    page = doomed.new_page(viewport={"width": 1280, "height": 800})
    log_in(page, site)
    review = ReviewPage.open(page, site, case_id, GEOMETRY)
    x, y = review.middle("axial")
    for seq in (1, 2, 3):
        review.drag((x - 130, y - 60 + 40 * seq), (x - 110, y - 60 + 40 * seq))
        review.saved(seq)
    voxels = review.voxels
    page.mouse.move(x + 100, y)
    page.mouse.down()
    page.mouse.move(x + 130, y + 20)
    crash(doomed)

    again = ReviewPage.open(open_page(), site, case_id, GEOMETRY)
    again.wait(seq=3, pending=0, voxels=voxels)
    assert corrected(site, case_id).sum() == voxels
    # The case is taken over at once, and work goes on where it stopped.
    again.page.keyboard.press("z")
    again.saved(4)
    assert again.voxels < voxels


def crash(browser: Browser) -> None:
    """End the browser as a power cut would: no page says goodbye."""
    with pytest.raises(PlaywrightError, match="closed"):
        browser.new_browser_cdp_session().send("Browser.crash")


def test_a_reload_shows_every_stroke_again(review: ReviewPage, site: Site, case_id: str) -> None:
    x, y = review.middle("coronal")
    review.drag((x, y), (x + 40, y))
    review.saved(1)
    voxels = review.voxels
    review.page.reload()
    review.wait(ready="true", seq=1, voxels=voxels)


def test_a_ct_that_breaks_off_is_fetched_again(
    open_page: OpenPage, site: Site, case_id: str
) -> None:
    page = open_page()
    tries = []

    def break_the_first(route: Route) -> None:
        tries.append(route.request.url)
        if len(tries) == 1:
            route.fulfill(status=200, body=b"\0" * 100)
        else:
            route.continue_()

    page.route("**/ct?centre=*", break_the_first)
    review = ReviewPage.open(page, site, case_id, GEOMETRY)
    assert len(tries) == 2
    review.page.mouse.move(*review.middle("axial"))
    expect(page.locator("#axial-hover")).to_contain_text("45 HU")


def test_strokes_wait_for_a_lost_server_and_arrive_in_order(
    review: ReviewPage, site: Site, case_id: str
) -> None:
    x, y = review.middle("axial")
    with answers_lost(review.page, "**/journal"):
        review.drag((x + 90, y - 80), (x + 110, y - 80))
        review.drag((x + 90, y - 50), (x + 110, y - 50))
        expect(review.page.locator("#save-status")).to_contain_text("Not saved")
        review.wait(pending=2)
        expect(review.page.locator("#save-status")).to_contain_text(
            "Not saved: 2 changes. The server does not answer. Trying again."
        )
        assert cut_or_overflowing(review.page) == []
    review.saved(2)
    expect(review.page.locator("#save-status")).to_contain_text("Saved")
    assert corrected(site, case_id).sum() == review.voxels


def test_approving_names_patient_and_destination_and_keeps_what_was_shown(
    review: ReviewPage, site: Site, case_id: str
) -> None:
    page = review.page
    x, y = review.middle("axial")
    review.drag((x - 100, y), (x - 60, y))
    review.saved(1)
    shown = corrected(site, case_id)
    expect(page.locator("#mean-dose")).not_to_have_class("big stale")
    page.click("#approve")
    dialog = page.locator("#approve-dialog")
    expect(dialog).to_contain_text("3.00 Gy")
    for words in ("Synthetic, Alma", "P-001", "TPS", "Heart"):
        expect(dialog).to_contain_text(words)
    assert site.store.cases.get(case_id).state == "IN_REVIEW"
    page.click("#confirm-approve")
    review.wait(state="APPROVED")
    made = site.store.reviews.correction_of(case_id, "Heart")
    assert made is not None
    kept = site.store.files.read_mask(case_id, f"correction-{made.id}")
    np.testing.assert_array_equal(kept, shown)
    assert made.slices_seen == (review.slice_of("axial"),)
    expect(page.locator("#deliveries")).to_have_text("queued for TPS")
    # What was approved stays as it is.
    review.drag((x, y), (x + 20, y), button="right")
    assert review.data("seq") == "1"
    page.goto(site.url)
    expect(page.locator(f'tr[data-case-id="{case_id}"]')).to_contain_text("approved")


def test_the_approval_shows_no_dose_from_before_the_last_stroke(review: ReviewPage) -> None:
    page = review.page
    # Without the dose in the browser only the server can tell.
    page.route("**/dose", lambda route: route.abort())
    page.reload()
    review.wait(ready="true")
    expect(page.locator("#mean-dose")).to_have_text("3.00 Gy")
    x, y = review.middle("axial")
    with answers_lost(page, "**/figures"):
        review.drag((x - 100, y), (x - 60, y))
        review.saved(1)
        page.click("#approve")
        expect(page.locator("#approve-rows")).to_contain_text("not known yet")
    page.click("#cancel-approve")
    expect(page.locator("#mean-dose")).to_have_class("big")
    page.click("#approve")
    expect(page.locator("#approve-rows")).to_contain_text("3.00 Gy")


def test_without_a_prediction_one_contours_from_scratch(open_page: OpenPage, site: Site) -> None:
    case_id = put_case(site.store, CT)
    review = ReviewPage.open(open_page(), site, case_id, GEOMETRY)
    expect(review.page.locator("#banner")).to_have_text("No model yet: contour from scratch.")
    review.page.click("#approve")
    expect(review.page.locator("#approve-problem")).to_contain_text("no Heart yet")
    assert review.page.is_disabled("#confirm-approve")
    review.page.click("#cancel-approve")
    x, y = review.middle("sagittal")
    disc = review.disc("sagittal", (x, y), (x + 30, y + 20), 8.0)
    review.drag((x, y), (x + 30, y + 20))
    review.saved(1)
    np.testing.assert_array_equal(corrected(site, case_id, None), disc)
    expect(review.page.locator("#banner")).to_be_hidden()
    review.page.reload()
    review.wait(ready="true")
    expect(review.page.locator("#banner")).to_be_hidden()


def test_on_a_small_screen_the_patient_and_every_button_stay_in_sight(review: ReviewPage) -> None:
    page = review.page
    page.set_viewport_size({"width": 1024, "height": 700})
    for what in (".patient", "#undo", "#save-next", "#approve"):
        expect(page.locator(what)).to_be_in_viewport(ratio=1)
    expect(page.locator(".patient")).to_contain_text("P-001")


def test_keys_change_window_layers_and_slices(review: ReviewPage) -> None:
    page = review.page
    first = review.slice_of("axial")
    page.keyboard.press("r")
    review.wait(slice=first + 1)
    page.keyboard.press("f")
    review.wait(slice=first)
    page.keyboard.press("2")
    expect(page.locator("#window-label")).to_contain_text("Lung")
    page.keyboard.press("s")
    expect(page.locator("#layer-prediction")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("?")
    expect(page.locator("#keys-dialog")).to_be_visible()


def test_the_picture_shows_prediction_and_corrections_in_their_colours(review: ReviewPage) -> None:
    x, y = review.middle("axial")
    review.drag((x - 130, y), (x - 130, y))
    review.saved(1)
    # Away from the brush circle, the crosshair and the outline.
    review.page.mouse.move(x - 200, y - 200)
    red, green, blue = colour_at(review.page, (x + 20, y + 20))
    assert blue > green > red
    red, green, blue = colour_at(review.page, (x - 130, y + 8))
    assert red > green
    assert red > blue


def colour_at(page: Page, point: tuple[int, int]) -> tuple[int, int, int]:
    pixel = page.evaluate(
        """([x, y]) => {
          const canvas = document.getElementById("axial");
          const frame = canvas.getBoundingClientRect();
          const ratio = canvas.width / frame.width;
          const at = [(x - frame.left) * ratio, (y - frame.top) * ratio];
          return Array.from(canvas.getContext("2d").getImageData(at[0], at[1], 1, 1).data);
        }""",
        list(point),
    )
    return pixel[0], pixel[1], pixel[2]


def test_a_thorax_phantom_for_the_picture_in_the_documentation(
    chromium: Browser, site: Site
) -> None:
    """Saved to RECONTOUR_SCREENSHOT where that is set."""
    wanted = os.environ.get("RECONTOUR_SCREENSHOT")
    spacing_mm = (2.5, 1.1, 1.1) if wanted else (6.0, 4.0, 4.0)
    phantom = make_phantom(3, spacing_mm=spacing_mm, tumour=False, contrast=False)
    shift = [round(mm / step) for mm, step in zip((2.5, 3.0, -7.0), spacing_mm, strict=True)]
    predicted = ndimage.shift(phantom.heart.astype(np.uint8), shift, order=0) > 0
    case_id = put_case(site.store, phantom.volume, prediction=predicted, dose=phantom_dose(phantom))
    complaints = Complaints()
    page = chromium.new_page(viewport={"width": 1600, "height": 900})
    complaints.listen_to(page)
    log_in(page, site)
    review = ReviewPage.open(page, site, case_id, phantom.volume.geometry)
    x, y = review.middle("axial")
    page.mouse.move(x + 150, y - 60)
    page.mouse.down()
    page.mouse.move(x + 182, y - 10, steps=6)
    page.mouse.move(x + 170, y + 40, steps=6)
    page.mouse.up()
    review.drag((x - 84, y - 96), (x - 126, y - 36), button="right")
    review.saved(2)
    page.wait_for_selector("#mean-dose:not(.stale)")
    expect(page.locator("#mean-dose")).to_contain_text("Gy")
    if wanted:
        page.screenshot(path=Path(wanted))
    page.context.close()
    assert complaints.heard == []
