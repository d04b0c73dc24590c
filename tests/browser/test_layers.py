"""Layers over the CT, windows and places worth a look, by real mouse and keys."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from core.boxed import Boxed
from core.case_files import reference_name
from core.plans import DoseOrigin
from core.volume import Volume
from dose.sensitivity import stop_here
from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT, GEOMETRY, HEART, ellipsoid
from tests.browser.review_page import ReviewPage
from tests.support.review_case import NOW, another_object, put_case, put_dose, put_prediction

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# From 0 Gy at the feet, front and right to 16.2 Gy at the other corner.
INDICES = np.indices(GEOMETRY.shape)
RAMP = Volume((INDICES[2] / 10 + INDICES[1] / 20 + INDICES[0] / 20).astype(np.float32), GEOMETRY)
REFERENCE = HEART & ~ellipsoid((0.5, 0.3, 0.55), (12.0, 30.0, 60.0))
SYNTHETIC = DoseOrigin("PLAN", "PHYSICAL", (), description="Synthetic dose, not a plan")


@pytest.fixture
def case_id(site: Site) -> str:
    """A heart whose lowest slices are undecided, a dose that rises to the left, a contour."""
    store = site.store
    case_id = put_case(store, CT)
    made = put_prediction(store, case_id, HEART)
    undecided = np.where(np.arange(40)[:, None, None] < 14, 128, 255) * HEART.astype(np.uint8)
    boxed = Boxed(undecided.astype(np.uint8), (0, 0, 0), GEOMETRY.shape)
    store.files.write_probability(case_id, made.id, boxed)
    put_dose(store, case_id, RAMP, origin=SYNTHETIC)
    current = store.cases.get(case_id)
    drawn = another_object(store, case_id, modality="RTSTRUCT", series="2.25.9")
    store.files.write_mask(case_id, reference_name(drawn, current.assembly), REFERENCE)
    store.instances.attach(current, drawn, kind="structure_set", note="Heart", now=NOW)
    return case_id


@pytest.fixture
def review(open_page: OpenPage, site: Site, case_id: str) -> ReviewPage:
    opened = ReviewPage.open(open_page(), site, case_id, GEOMETRY)
    opened.wait(layers="reference dose uncertainty")
    return opened


def test_each_layer_comes_and_goes_by_one_key_in_every_plane(review: ReviewPage) -> None:
    page = review.page
    page.mouse.move(*review.middle("axial"))
    for key, row, name in [
        ("d", "dose", "dose"),
        ("i", "isodose", "isodose-10"),
        ("c", "reference", "reference"),
        ("u", "uncertainty", "uncertainty"),
        ("o", "leverage", "leverage"),
    ]:
        page.keyboard.press("Shift+U")  # where there is something to see of every layer
        low = re.compile(r"^(\d|1[0-3])$")
        expect(page.locator("#axial")).to_have_attribute("data-slice", low)
        drawn = re.compile(rf"(^| ){name}( |$)")
        for shown in (True, False):
            before = pictures(review)
            page.keyboard.press(key)
            pressed = str(shown).lower()
            expect(page.locator(f"#layer-{row}")).to_have_attribute("aria-pressed", pressed)
            for plane in ("axial", "sagittal", "coronal"):
                view = expect(page.locator(f"#{plane}"))
                if shown:
                    view.to_have_attribute("data-layers", drawn)
                else:
                    view.not_to_have_attribute("data-layers", drawn)
            changed = [a != b for a, b in zip(before, pictures(review), strict=True)]
            assert all(changed), name


def pictures(review: ReviewPage) -> list[str]:
    """The pixels of the three views, when everything is drawn."""
    return list(
        review.page.evaluate(
            """() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(
              [...document.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL())))))"""
        )
    )


def test_mean_dose_and_dvh_follow_the_hand_without_the_server(review: ReviewPage) -> None:
    page = review.page
    mean = page.locator("#mean-dose")
    expect(mean).to_have_attribute("data-gy", re.compile(r"^\d"))
    page.route("**/figures", lambda route: route.abort())
    curves = [page.locator(f"#dvh-{name}") for name in ("prediction", "correction")]
    for curve in curves:
        expect(curve).to_have_attribute("d", re.compile("."))
    before = [curve.get_attribute("d") for curve in curves]
    assert before[0] == before[1]
    x, y = review.middle("axial")
    left = HEART & ~review.disc("axial", (x, y), (x + 40, y), 8.0)
    review.drag((x, y), (x + 40, y), button="right")
    review.wait(voxels=int(left.sum()))
    for expected, action in [(left, ""), (HEART, "z"), (left, "Shift+Z")]:
        if action:
            page.keyboard.press(action)
        gy = float(RAMP.values[expected].mean(dtype=np.float64))
        # Summed in another order: the same digits but the last ones.
        expect(mean).to_have_attribute("data-gy", re.compile(rf"^{re.escape(f'{gy:.9f}'[:-1])}"))
        expect(mean).not_to_have_class(re.compile("stale"))
    assert curves[0].get_attribute("d") == before[0]
    expect(curves[1]).not_to_have_attribute("d", before[1] or "")
    expect(page.locator("#dose-comparison")).to_contain_text("Gy")


def test_the_page_says_how_far_the_mean_can_still_move_and_goes_there(review: ReviewPage) -> None:
    page = review.page
    said = page.locator("#stop-here")
    expect(said).to_contain_text("Corrections within 2.5 mm can move the mean heart dose by up to")
    bound = stop_here(RAMP, HEART, GEOMETRY, within_mm=2.5)
    assert bound is not None
    shown = float(said.get_attribute("data-gy") or "nan")
    assert shown == pytest.approx(bound.largest_change_gy, abs=1e-6)
    shares = bound.to_lowest_gy + bound.to_highest_gy
    for number in bound.slice_ranking[:2]:
        # Slices that are each other's mirror image share a place.
        equal = np.flatnonzero(np.isclose(shares, shares[number], rtol=1e-6))
        page.keyboard.press("Shift+O")
        among = re.compile(rf"^({'|'.join(map(str, equal))})$")
        expect(page.locator("body")).to_have_attribute("data-slice", among)
    x, y = review.middle("axial")
    review.drag((x, y), (x + 40, y), button="right")
    expect(said).not_to_have_attribute("data-gy", str(shown))
    expect(said).not_to_have_class(re.compile("stale"))


def test_the_outline_lies_where_the_structure_ends(review: ReviewPage) -> None:
    page = review.page
    for key in ("s", "a"):
        page.keyboard.press(key)
    page.mouse.move(*review.middle("sagittal"))
    yellow = yellow_mm(review)
    middle = review.slice_of("axial")
    rows, columns = np.nonzero(HEART[middle])
    row_mm, column_mm = GEOMETRY.spacing_mm[1:]
    # Half a voxel beyond the outermost centres, and the width of the line.
    assert yellow[:, 0].min() == pytest.approx(columns.min() * column_mm, abs=1.0)
    assert yellow[:, 0].max() == pytest.approx((columns.max() + 1) * column_mm, abs=1.0)
    assert yellow[:, 1].min() == pytest.approx(rows.min() * row_mm, abs=1.0)
    assert yellow[:, 1].max() == pytest.approx((rows.max() + 1) * row_mm, abs=1.0)
    # A ring: every point of the ellipse has the outline near.
    angles = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    depth = np.sqrt(1 - ((middle - 20) * 3.0 / 35.0) ** 2)
    ellipse = np.stack(
        [
            (0.55 * 96 + 0.5) * column_mm + 34.0 * depth * np.cos(angles),
            (0.48 * 96 + 0.5) * row_mm + 30.0 * depth * np.sin(angles),
        ],
        axis=-1,
    )
    away = np.linalg.norm(ellipse[:, None] - yellow[None], axis=-1)
    assert away.min(axis=1).max() < 1.5
    assert away.min(axis=0).max() < 1.5


def yellow_mm(review: ReviewPage) -> np.ndarray:
    """Where the axial view is as yellow as the outline, mm from the slice's corner."""
    found = review.page.evaluate(
        """() => {
          const canvas = document.getElementById("axial");
          const ratio = canvas.width / canvas.clientWidth;
          const { left, top, scale } = canvas.dataset;
          const { width, height } = canvas;
          const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
          const found = [];
          for (let i = 0; i < width * height; i++) {
            const [red, green, blue] = pixels.subarray(4 * i, 4 * i + 3);
            if (red < 200 || green < 150 || blue > red - 80) continue;
            const [x, y] = [(i % width) + 0.5, Math.floor(i / width) + 0.5];
            found.push([(x / ratio - left) / scale, (y / ratio - top) / scale]);
          }
          return found;
        }"""
    )
    return np.array(found)


def test_dose_under_the_cursor_legend_and_what_the_dose_is(review: ReviewPage) -> None:
    page = review.page
    x, y = review.middle("axial")
    page.mouse.move(x, y)
    gray = RAMP.values[review.voxel_at("axial", (x, y))]
    expect(page.locator("#axial-hover")).to_have_text(f"45 HU · {gray:.2f} Gy")
    expect(page.locator("#dose-legend")).to_be_hidden()
    page.keyboard.press("d")
    legend = page.locator("#dose-legend")
    expect(legend).to_contain_text("Synthetic dose, not a plan")
    assert legend.locator(".level").all_inner_texts() == ["15", "10", "5"]
    expect(legend).to_contain_text("highest 16.2 Gy")


def test_places_worth_a_look(review: ReviewPage) -> None:
    page = review.page
    # Of the 12 undecided slices (8 to 13 are in the heart) the largest are the highest ones.
    page.keyboard.press("Shift+U")
    review.wait(slice=13)
    differing = [
        z
        for z in range(40)
        if HEART[z].any() and 2 * REFERENCE[z].sum() < 0.9 * (HEART[z].sum() + REFERENCE[z].sum())
    ]
    assert len(differing) > 5
    above = [z for z in differing if z > 13]
    page.keyboard.press(".")
    review.wait(slice=above[0])
    page.keyboard.press(",")
    review.wait(slice=13)
    page.keyboard.press("Shift+D")
    hottest = np.unravel_index(np.argmax(np.where(HEART, RAMP.values, -1)), GEOMETRY.shape)
    for plane, slice_ in zip(("axial", "coronal", "sagittal"), hottest, strict=True):
        expect(page.locator(f"#{plane}")).to_have_attribute("data-slice", str(slice_))


def test_a_drag_with_ctrl_makes_a_window_of_ones_own_and_a_key_brings_one_back(
    review: ReviewPage,
) -> None:
    page = review.page
    label = page.locator("#window-label")
    expect(label).to_have_text("W 375 L 63 · Mediastinum")
    x, y = review.middle("axial")
    page.keyboard.down("Control")
    review.drag((x, y), (x + 50, y - 30))
    page.keyboard.up("Control")
    expect(label).to_have_text("W 475 L 3 · own")
    assert review.data("pending") == "0"
    assert review.data("seq") == "0"  # nothing was painted
    page.keyboard.press("3")
    expect(label).to_have_text("W 1500 L 300 · Bone")


def test_checks_follow_the_brush(review: ReviewPage) -> None:
    page = review.page
    expect(page.locator("#pieces")).to_have_text("1")
    expect(page.locator("#holes")).to_have_text("none")
    expect(page.locator("#cut")).to_have_text("no")
    x, y = review.middle("axial")
    for _ in range(4):
        page.keyboard.press("[")
    review.drag((x, y), (x, y), button="right")
    expect(page.locator("#holes")).to_have_text("in 1 slices")
    far = x - 190
    review.drag((far, y - 190), (far, y - 190))
    expect(page.locator("#pieces")).to_have_text("2")
