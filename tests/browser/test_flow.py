"""The ways of a case besides approving, by real mouse and keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from core.store import open_store
from review_ui import create_app
from review_ui.accounts import create_user
from tests.browser.conftest import OpenPage, Site, log_in
from tests.browser.reference_case import CT, GEOMETRY, HEART, kept_strokes
from tests.browser.review_page import ReviewPage
from tests.support.review_case import PASSWORD, put_case
from tests.support.serving import served
from tests.support.settings import settings_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A review room with a hold, and accounts of anna and berta."""
    settings = settings_for(tmp_path, review={"hold_s": 600})
    store = open_store(settings)
    app = create_app(settings, store)
    create_user(app, "anna", PASSWORD)
    create_user(app, "berta", PASSWORD)
    with served(app) as url:
        yield Site(url, store)
    store.engine.dispose()


@pytest.fixture
def case_id(site: Site) -> str:
    return put_case(site.store, CT, prediction=HEART)


@pytest.fixture
def review(open_page: OpenPage, site: Site, case_id: str) -> ReviewPage:
    """The case with one stroke of anna's."""
    opened = ReviewPage.open(open_page(), site, case_id, GEOMETRY)
    x, y = opened.middle("axial")
    opened.drag((x - 90, y), (x - 90, y))
    opened.saved(1)
    return opened


def test_an_approval_is_undone_while_it_is_held_and_painting_goes_on(
    review: ReviewPage, site: Site, case_id: str
) -> None:
    page, voxels = review.page, review.voxels
    page.click("#approve")
    expect(page.locator("#approve-rows")).to_contain_text("600 s, until then you can undo")
    page.click("#confirm-approve")
    review.wait(state="APPROVED")
    expect(page.locator("#deliveries")).to_contain_text("leaves for TPS in")
    expect(page.locator("#take-back")).to_contain_text("Undo approval (")
    page.click("#take-back")
    review.wait(ready="true", state="IN_REVIEW", seq=1, voxels=voxels)
    assert site.store.deliveries.all() == []
    x, y = review.middle("axial")
    review.drag((x - 90, y + 60), (x - 90, y + 60))
    review.saved(2)
    assert len(kept_strokes(site, case_id)) == 2


def test_a_delivered_case_is_re_opened_as_a_new_version(
    review: ReviewPage, site: Site, case_id: str
) -> None:
    page, later = review.page, datetime.now(UTC) + timedelta(seconds=700)
    page.click("#approve")
    page.click("#confirm-approve")
    review.wait(state="APPROVED")
    (row,) = site.store.deliveries.due(now=later)
    site.store.deliveries.begin(row.id, now=later)
    site.store.deliveries.sent(row.id, sop_instance_uid="1.2.3", now=later)
    review.wait(state="DELIVERED")
    expect(page.locator("#take-back")).to_be_hidden()
    page.click("#reopen")
    expect(page.locator("#confirm-flow")).to_be_disabled()
    page.keyboard.type("The apex is too low")
    page.click("#confirm-flow")
    review.wait(ready="true", state="IN_REVIEW", seq=1)
    expect(page.locator("#flow-note")).to_contain_text("an approval now makes version 2")
    page.click("#approve")
    expect(page.locator("#approve-rows")).to_contain_text("version 1, as a new version")
    page.click("#confirm-approve")
    review.wait(state="APPROVED")
    expect(page.locator("#approved-by")).to_contain_text("as version 2")


def test_a_rejected_case_says_why_and_keeps_what_was_painted(
    review: ReviewPage, site: Site, case_id: str
) -> None:
    page = review.page
    page.click("#reject")
    # Letters go into the reason, not to the tools.
    page.keyboard.type("we see artefacts")
    page.click("#confirm-flow")
    page.wait_for_url(f"{site.url}/")
    expect(page.locator("#rows")).to_contain_text("Rejected by anna: we see artefacts")
    again = ReviewPage.open(page, site, case_id, GEOMETRY)
    expect(page.locator("#banner")).to_contain_text("we see artefacts")
    assert again.voxels > HEART.sum()
    assert site.store.cases.get(case_id).state == "REJECTED"


def test_a_case_that_was_passed_on_opens_read_only_until_editing_is_asked_for(
    review: ReviewPage, site: Site, case_id: str
) -> None:
    page = review.page
    page.click("#pass-on")
    expect(page.locator("#flow-colleague option")).to_have_text(["berta"])
    page.click("#confirm-flow")
    page.wait_for_url(f"{site.url}/")
    expect(page.locator("#rows")).to_contain_text("for berta")
    again = ReviewPage.open(page, site, case_id, GEOMETRY)
    expect(page.locator("#banner")).to_contain_text("This case is berta's.")
    x, y = again.middle("axial")
    again.drag((x - 90, y + 60), (x - 90, y + 60))
    assert len(kept_strokes(site, case_id)) == 1
    page.get_by_role("button", name="Edit").click()
    again.wait(ready="true", seq=1, pending=0)
    again.drag((x - 90, y + 60), (x - 90, y + 60))
    again.saved(2)


def test_a_case_is_taken_over_from_a_colleague_who_is_told(
    review: ReviewPage, site: Site, case_id: str, chromium: Browser
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    theirs = context.new_page()
    log_in(theirs, site, "berta")
    other = ReviewPage.open(theirs, site, case_id, GEOMETRY)
    expect(theirs.locator("#banner")).to_contain_text("anna is reviewing this case now.")
    theirs.get_by_role("button", name="Take over").click()
    other.wait(ready="true", seq=1, pending=0)
    expect(theirs.locator("#approve")).to_be_enabled()
    x, y = review.middle("axial")
    review.drag((x - 90, y + 60), (x - 90, y + 60))
    expect(review.page.locator("#banner")).to_contain_text("berta has taken this case over.")
    assert len(kept_strokes(site, case_id)) == 1
    context.close()
