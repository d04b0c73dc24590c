"""The review page in two sizes: nothing is cut and nothing lies over something else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from scipy import ndimage

from app.phantom import make_phantom, phantom_dose
from core.boxed import Boxed
from core.case_files import reference_name
from core.plans import DoseOrigin
from tests.browser.conftest import Site, log_in
from tests.browser.looks import overlapping
from tests.browser.review_page import ReviewPage
from tests.support.review_case import NOW, another_object, put_case, put_dose, put_prediction

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES = [ViewportSize(width=1280, height=720), ViewportSize(width=1920, height=1080)]
# What must not lie over one another, or reach beyond the window.
LABELS = (
    "#axial-label, #brush-label, #window-label, #axial-hover, #dose-legend, "
    "#sagittal-label, #sagittal-hover, #coronal-label, #coronal-hover, .orientation"
)
BARS = "header > *, footer > *, .tools > button"


def test_the_page_with_every_layer_fits_both_sizes(chromium: Browser, site: Site) -> None:
    """Pictures are saved to RECONTOUR_SCREENSHOTS, a folder, where that is set."""
    folder = os.environ.get("RECONTOUR_SCREENSHOTS")
    spacing_mm = (2.5, 1.1, 1.1) if folder else (6.0, 4.0, 4.0)
    phantom = make_phantom(3, spacing_mm=spacing_mm, tumour=False, contrast=False)
    geometry = phantom.volume.geometry
    shift = [round(mm / step) for mm, step in zip((2.5, 3.0, -7.0), spacing_mm, strict=True)]
    predicted = ndimage.shift(phantom.heart.astype(np.uint8), shift, order=0) > 0
    store = site.store
    case_id = put_case(store, phantom.volume)
    made = put_prediction(store, case_id, predicted)
    sure = ndimage.gaussian_filter(predicted.astype(np.float32), [5.0 / mm for mm in spacing_mm])
    undecided = Boxed(np.rint(255 * sure).astype(np.uint8), (0, 0, 0), geometry.shape)
    store.files.write_probability(case_id, made.id, undecided)
    synthetic = DoseOrigin("PLAN", "PHYSICAL", (), description="Synthetic dose, not a plan")
    put_dose(store, case_id, phantom_dose(phantom), origin=synthetic)
    current = store.cases.get(case_id)
    drawn = another_object(store, case_id, modality="RTSTRUCT", series="2.25.9")
    store.files.write_mask(case_id, reference_name(drawn, current.assembly), phantom.heart)
    store.instances.attach(current, drawn, kind="structure_set", note="Heart", now=NOW)

    page = chromium.new_page(viewport=SIZES[0])
    log_in(page, site)
    review = ReviewPage.open(page, site, case_id, geometry)
    review.wait(layers="reference dose uncertainty")
    expect(page.locator("#mean-dose")).to_contain_text("Gy")
    for key in ("d", "i", "c"):
        page.keyboard.press(key)
    for size in SIZES:
        page.set_viewport_size(size)
        x, y = review.middle("axial")
        page.mouse.move(x + 60, y - 40)
        expect(page.locator("#axial-hover")).to_contain_text("Gy")
        assert cut(page) == []
        assert overlapping(page, LABELS) == []
        assert overlapping(page, BARS) == []
        if folder:
            page.screenshot(path=Path(folder) / f"review-{size['width']}.png")
            page.keyboard.press("d")
            page.keyboard.press("u")
            page.screenshot(path=Path(folder) / f"review-undecided-{size['width']}.png")
            page.keyboard.press("u")
            page.keyboard.press("d")
    page.context.close()


def cut(page: Page) -> list[str]:
    """Buttons and labels whose text does not fit, or that reach beyond the window."""
    return list(
        page.evaluate(
            """(selector) => [...document.querySelectorAll(selector)].filter((element) => {
              const box = element.getBoundingClientRect();
              if (box.width === 0) return false;
              const beyond = box.left < 0 || box.top < 0 ||
                box.right > innerWidth + 0.5 || box.bottom > innerHeight + 0.5;
              const isButton = element.matches("button");
              return beyond || (isButton && element.scrollWidth > element.clientWidth + 1);
            }).map((element) => element.id || element.textContent.trim())""",
            f"{LABELS}, {BARS}",
        )
    )
