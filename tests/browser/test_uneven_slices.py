"""Reviewing a series of uneven slices: what is under the brush is what the node keeps."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from playwright.sync_api import expect

from core.geometry import Mask
from core.volume import Volume
from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT, GEOMETRY, HEART
from tests.browser.review_page import PLANES, ReviewPage, voxels_of
from tests.support.review_case import put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# 3.75 mm in the lower half, 2.25 mm in the upper one: the same mean as the reference case.
OFFSETS_MM = np.concatenate([[0.0], np.cumsum([3.75] * 20 + [2.25] * 19)])
UNEVEN = replace(
    GEOMETRY,
    spacing_mm=(float(OFFSETS_MM[-1]) / 39, *GEOMETRY.spacing_mm[1:]),
    slice_offsets_mm=tuple(OFFSETS_MM.tolist()),
)


def test_the_brush_is_exact_on_the_true_slices_in_every_plane(
    open_page: OpenPage, site: Site
) -> None:
    case_id = put_case(site.store, Volume(CT.values, UNEVEN), prediction=HEART)
    page = open_page()
    review = ReviewPage.open(page, site, case_id, UNEVEN)
    expected: list[Mask] = []
    for number, plane in enumerate(PLANES, start=1):
        x, y = review.middle(plane)
        # Through the middle slice, where the spacing changes.
        start, end = (x + 30, y - 45), (x + 83, y + 12)
        before = np.any([np.zeros(HEART.shape, bool), *expected], axis=0)
        expected.append(review.disc(plane, start, end, 8.0) & ~before)
        review.drag(start, end)
        review.saved(number)
    entries = site.store.reviews.entries(case_id, "Heart")
    for entry, disc in zip(entries, expected, strict=True):
        assert disc.sum() > 20
        np.testing.assert_array_equal(voxels_of(entry, UNEVEN), disc)
    corrected = np.any([HEART, *expected], axis=0)
    volume_cc = f"{UNEVEN.volume_cc(corrected):.1f}"
    expect(page.locator("#volume")).to_have_text(re.compile(re.escape(volume_cc)))
