"""A patient who was scanned feet first on the side: letters and heart are where they belong."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from dicom_node.objects.ct_reader import read_ct
from tests.browser.conftest import OpenPage, Site
from tests.browser.review_page import PLANES, ReviewPage
from tests.support.review_case import put_case
from tests.support.synthetic_dicom import ball_hu, ct_series, written

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HEART_MM = (24.0, -21.0, 18.0)
LETTERS = {"axial": "RLAP", "sagittal": "APSI", "coronal": "RLSI"}


def test_feet_first_on_the_side(open_page: OpenPage, site: Site, tmp_path: Path) -> None:
    series = ct_series(
        shape=(24, 36, 32),
        spacing_mm=(4.0, 4.0, 4.0),
        patient_position="FFDR",
        hu=ball_hu(HEART_MM, 14.0),
    )
    ct = read_ct(written(series, tmp_path)).volume
    case_id = put_case(site.store, ct)
    page = open_page()
    review = ReviewPage.open(page, site, case_id, ct.geometry)
    for plane in PLANES:
        x, y = review.middle(plane)
        boxes = []
        for side, letter in zip(("left", "right", "top", "bottom"), LETTERS[plane], strict=True):
            mark = page.locator(f"section.{plane} .orientation.at-{side}")
            expect(mark).to_have_text(letter)
            box = mark.bounding_box()
            assert box is not None
            boxes.append(box)
        left, right, top, bottom = boxes
        assert left["x"] < x < right["x"]
        assert top["y"] < y < bottom["y"]
    # The slice of the heart: its middle lies 18 mm above that of the scan, 21 mm in front of it.
    for _ in range(round(HEART_MM[2] / 4)):
        page.keyboard.press("r")
    x, y = review.middle("axial")
    scale = float(review.data_of("axial", "scale"))
    for sign, expected in ((1, "50 HU"), (-1, "0 HU")):
        page.mouse.move(x + sign * HEART_MM[0] * scale, y + HEART_MM[1] * scale)
        expect(page.locator("#axial-hover")).to_have_text(expected)
