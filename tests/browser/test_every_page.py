"""Every page in two sizes and on paper: nothing is cut, axe finds nothing serious."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, ViewportSize, expect

from core.dose_records import Difference, SelfCheck
from core.journal import mask_crc32
from core.records import ASSISTED, MANUAL
from core.store import Store, open_store
from core.volume import Volume
from dicom_node.network.inbox import Received
from dicom_node.network.quarantine import Quarantine
from dose.contour_change import dose_change
from dose.self_check import Beside
from review_ui import create_app
from review_ui.accounts import create_user
from review_ui.roles import PHYSICIST
from tests.browser.conftest import Site, log_in
from tests.browser.looks import (
    cut_or_overflowing,
    findings_of_axe,
    overlapping,
    without_visible_focus,
)
from tests.browser.reference_case import CT, DOSE, HEART
from tests.support.accounts import create_all_rounder
from tests.support.pdf import pages_with_text
from tests.support.review_case import NOW, PASSWORD, Reviewer, put_case, small_geometry
from tests.support.serving import served
from tests.support.settings import settings_for
from tests.support.versions import A, B, put_version

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES = [ViewportSize(width=1280, height=720), ViewportSize(width=1920, height=1080)]
FILES = frozenset(
    {
        "openapi.spec",
        "static",
        "status.healthz",
        "metrics.readyz",
        "metrics.page",
        "review.rtstruct",
        "reports.dose_csv",
        "reports.returned_csv",
        "quarantine.file",
        "audit.as_csv",
        "cohort.download",
    }
)
ON_PAPER = ("figures.page", "models.page", "models.card_page", "audit.page", "work.page")
Done = tuple[datetime, str, dict[str, Any]]
READY = "body:not([data-ready=false])"


@dataclass(frozen=True, slots=True)
class Busy(Site):
    """A site on which something has happened, and the address of every page by its endpoint."""

    pages: dict[str, str]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    settings = settings_for(tmp_path_factory.mktemp("busy"))
    store = open_store(settings)
    app = create_app(settings, store)
    create_user(app, "anna", PASSWORD)
    create_user(app, "phil", PASSWORD, PHYSICIST)
    create_all_rounder(app, store, "olga")
    approved, observation = fill(app, store)
    quarantine = Quarantine(settings.data_folder, store.quarantine)
    reason = "The dataset ends within an element; ask the sender to send it again."
    quarantine.set_aside(Received(b"broken", "1.2", "1.2.3", "OTHERTPS"), reason=reason)
    values = {"case_id": approved, "version": A, "observation_id": observation}
    with served(app) as url:
        yield Busy(url, store, pages_of(app, values))
    store.engine.dispose()


def fill(app: Flask, store: Store) -> tuple[str, str]:
    """Cases in every state that a page shows, versions, times; an approved case, an observation."""
    names = ("Synthetic^Alma", "Synthetic^Bela", "Synthetic-Longname^Maximiliana Theodora", "")
    ids = [
        put_case(store, CT, prediction=HEART, dose=DOSE, patient_id=f"P-00{n}", patient_name=name)
        for n, name in enumerate(names)
    ]
    store.arms.assign(ids[1], MANUAL, who="phil", now=NOW)
    anna = Reviewer.log_in(app)
    anna.open(ids[0])
    body = {"tab": anna.tab, "seq": 0, "voxels": int(HEART.sum()), "crc32": mask_crc32(HEART)}
    assert anna.post(f"/api/cases/{ids[0]}/approve", **body, slices_seen=[20]).status_code == 200
    hold_against(store, ids[0])
    geometry = small_geometry()
    small = Volume(np.zeros(geometry.shape, np.int16), geometry)
    ids += [put_case(store, small, patient_id=f"P-1{n:02}") for n in range(12)]
    rng = np.random.default_rng(3)
    for n, took_s in enumerate(np.linspace(420, 130, len(ids)) * rng.uniform(0.8, 1.2, len(ids))):
        begun = NOW + timedelta(hours=n)
        moments = [begun + timedelta(seconds=float(s)) for s in np.arange(0, took_s, 9.0)]
        arm = MANUAL if n % 6 == 5 else ASSISTED
        events: list[Done] = [(at, "position", {}) for at in moments]
        store.timing.add(ids[n], "Heart", events, who="olga", arm=arm)
    put_version(store, B, 0)
    put_version(store, A, 1)
    made = store.observations.assign(ids[0], "Heart", "phil", who="olga", now=NOW)
    return ids[0], made.id


def hold_against(store: Store, case_id: str) -> None:
    """The approved contour against what was proposed, and our figures against the TPS's."""
    (dose,) = store.instances.attached(case_id, kind="dose")
    approved = store.reviews.correction_of(case_id, "Heart")
    assert approved is not None
    names = "dice surface_dice_2mm surface_dice_3mm hausdorff_95_mm mean_surface_mm "
    names += "added_path_length_mm predicted_cc added_cc removed_cc"
    contours: dict[str, float | None] = dict.fromkeys(names.split(), 0.9)
    for against, columns in (("prediction", 2), ("reference", 4)):
        change = dose_change(DOSE, np.roll(HEART, columns, axis=2), HEART, CT.geometry)
        assert change is not None
        store.differences.add(
            Difference(approved.id, against, against, dose.id, 1, contours, change.to_json(), NOW)
        )
    figures = [Beside("Heart", 3.0, 2.0, 500.0, 501.0, mean_differs=True).to_json()]
    words = "Heart 2.00 Gy, the TPS says 3.00. Export both again."
    store.self_checks.add(
        SelfCheck(case_id, approved.assembly, dose.id, dose.id, "1", figures, words, NOW)
    )


def pages_of(app: Flask, values: dict[str, str]) -> dict[str, str]:
    """The path of each page of the application by its endpoint; a new one is among them."""
    found = {}
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.rule.startswith("/api/"):
            path = rule.rule
            for name, value in values.items():
                path = path.replace(f"<{name}>", value)
            found[rule.endpoint] = path
    pages = {name: path for name, path in found.items() if name not in FILES}
    unknown = [path for path in pages.values() if "<" in path]
    assert unknown == [], "give the test a value for them"
    return {**pages, "not found": "/nothing-here"}


def looked_at(page: Page, name: str) -> list[str]:
    """What is wrong with the page in either size; pictures go to RECONTOUR_SCREENSHOTS if set."""
    folder, wrong = os.environ.get("RECONTOUR_SCREENSHOTS"), []
    for size in SIZES:
        page.set_viewport_size(size)
        wrong += [f"{name} at {size['width']}: {what}" for what in cut_or_overflowing(page)]
        for row in ("header.bar > *", "header nav > *", "footer.bar > *"):
            wrong += [f"{name} at {size['width']}: {pair}" for pair in overlapping(page, row)]
        if folder:
            page.screenshot(path=Path(folder) / f"{name}-{size['width']}.png")
    page.evaluate(
        "document.querySelectorAll('main details').forEach((one) => { one.open = true; })"
    )
    wrong += [f"{name}, unfolded: {what}" for what in cut_or_overflowing(page)]
    wrong += [f"{name}: {finding}" for finding in findings_of_axe(page)]
    return wrong + [f"{name}: no focus seen on {what!r}" for what in without_visible_focus(page)]


def test_every_page_can_be_read_and_used(chromium: Browser, busy: Busy) -> None:
    context = chromium.new_context(viewport=SIZES[0])
    page = context.new_page()
    page.goto(f"{busy.url}/login")
    wrong = looked_at(page, "security.login")
    log_in(page, busy, "olga")
    for name, path in busy.pages.items():
        if name in {"security.login", "observations.page"}:
            continue
        page.goto(busy.url + path)
        page.wait_for_selector(READY)
        wrong += looked_at(page, name)
    context.close()
    # The observer's page is the observer's alone.
    context = chromium.new_context(viewport=SIZES[0])
    page = context.new_page()
    log_in(page, busy, "phil")
    page.goto(busy.url + busy.pages["observations.page"])
    page.wait_for_selector(READY)
    wrong += looked_at(page, "observations.page")
    context.close()
    assert wrong == [], "\n".join(wrong)


def test_the_menus_of_an_administrator_open_by_key_and_close_by_themselves(
    chromium: Browser, busy: Busy
) -> None:
    context = chromium.new_context(viewport=SIZES[0])
    page = context.new_page()
    log_in(page, busy, "olga")
    page.goto(busy.url + busy.pages["audit.page"])
    assert page.locator("header nav > *").count() == 7
    node = page.locator("nav summary", has_text="Node")
    users = page.get_by_role("link", name="Users")
    expect(node).to_have_attribute("aria-current", "true")
    expect(users).to_be_hidden()
    node.press("Enter")
    expect(users).to_be_visible()
    assert cut_or_overflowing(page) + findings_of_axe(page) == []
    node.press("Escape")
    expect(users).to_be_hidden()
    node.click()
    page.locator("h1").click()
    expect(users).to_be_hidden()
    node.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(busy.url + busy.pages["users.page"])
    context.close()


def test_the_dialogs_of_a_review_can_be_read_and_used(chromium: Browser, busy: Busy) -> None:
    context = chromium.new_context(viewport=SIZES[0])
    page = context.new_page()
    log_in(page, busy, "olga")
    page.locator("tr", has_text="Maximiliana").get_by_role("link", name="Review").click()
    page.wait_for_selector("body[data-ready=true]")
    for key in ("y", "+", "+"):
        page.keyboard.press(key)
    page.wait_for_selector("body:not([data-box=''])")
    wrong = looked_at(page, "review with a box")
    for name in ("approve", "reject", "pass-on", "help"):
        page.click(f"#{name}")
        shown = page.locator("dialog[open]")
        expect(shown).to_be_visible()
        if name == "approve":
            expect(page.locator("#confirm-approve")).to_be_enabled()
            # What is only proposed is not approved, and is not seen behind.
            expect(page.locator("#proposal")).to_be_hidden()
        # What lies behind a dialog cannot get the focus.
        wrong += [what for what in looked_at(page, name) if "no focus seen" not in what]
        for size in SIZES:
            page.set_viewport_size(size)
            box = shown.bounding_box()
            assert box is not None
            assert box["y"] >= 0, name
            assert box["y"] + box["height"] <= size["height"], name
        page.keyboard.press("Escape")
        expect(shown).to_have_count(0)
    context.close()
    assert wrong == [], "\n".join(wrong)


def test_reports_are_printed_dark_on_white_without_navigation_or_blank_pages(
    chromium: Browser, busy: Busy
) -> None:
    context = chromium.new_context(viewport=SIZES[0])
    page = context.new_page()
    log_in(page, busy, "olga")
    for name in ON_PAPER:
        page.goto(busy.url + busy.pages[name])
        page.emulate_media(media="print")
        expect(page.locator("header.bar")).to_be_hidden()
        expect(page.locator("h1")).to_be_visible()
        background, colour = page.evaluate(
            "() => [getComputedStyle(document.body).backgroundColor, "
            "getComputedStyle(document.querySelector('h1')).color]"
        )
        assert background == "rgb(255, 255, 255)", name
        assert max(int(n) for n in colour.removeprefix("rgb(").removesuffix(")").split(",")) < 64
        assert findings_of_axe(page) == [], name
        pages = pages_with_text(page.pdf(format="A4", print_background=True))
        assert pages, name
        assert all(pages), name
        page.emulate_media(media="screen")
    context.close()
