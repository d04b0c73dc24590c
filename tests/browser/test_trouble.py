"""What a page does when something goes wrong around it: memory, the screen, the server."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Browser, Dialog, Route, expect

from tests.browser.conftest import Site, log_in
from tests.browser.reference_case import CT, GEOMETRY, HEART, corrected
from tests.browser.review_page import ReviewPage
from tests.support.review_case import put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# The browser's answer where there is no memory for an array of so many elements.
NO_MEMORY_FOR = """(least) => {
  for (const name of ["Int16Array", "Float64Array"]) {
    window[name] = new Proxy(window[name], {
      construct(target, given, made) {
        const wanted = given[0]?.length ?? given[0];
        if (wanted >= least) throw new RangeError("Array buffer allocation failed");
        return Reflect.construct(target, given, made);
      },
      get(target, key) {
        if (key !== "from") return target[key];
        return (source, ...more) => {
          if (source.length >= least) throw new RangeError("Array buffer allocation failed");
          return target.from(source, ...more);
        };
      },
    });
  }
}"""


def test_too_little_memory_another_screen_and_a_slow_server_are_survived(
    chromium: Browser, site: Site
) -> None:
    case_id = put_case(site.store, CT, prediction=HEART)
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    log_in(page, site)
    banner = page.locator("#banner")
    little = "The browser has too little memory for this."

    # Not enough to open the case.
    page.add_init_script(f"if (!location.hash) ({NO_MEMORY_FOR})({CT.values.size})")
    page.goto(f"{site.url}/cases/{case_id}")
    page.wait_for_selector("body[data-ready=failed]")
    expect(banner).to_contain_text(little)

    # Enough for it, and not for a tool: nothing is changed.
    page.goto(f"{site.url}/cases/{case_id}#enough")
    page.reload()
    review = ReviewPage(page, GEOMETRY)
    review.wait(ready="true")
    page.evaluate(f"({NO_MEMORY_FOR})(1000)")
    page.keyboard.press("+")
    expect(banner).to_contain_text(little)
    review.wait(proposal="", voxels=int(HEART.sum()))
    # A note that passes takes nothing away.
    page.keyboard.press(".")
    expect(banner).to_contain_text("Neither doubts of the model")
    expect(banner).to_contain_text(little)
    expect(page.locator("#banner-offer")).to_have_text("Reload")
    page.click("#banner-offer")
    review.wait(ready="true")

    # The window goes to a screen with twice as many dots: what is painted is what is seen.
    page.keyboard.press("m")
    size = page.evaluate("document.getElementById('axial').width")
    screen = page.context.new_cdp_session(page)
    screen.send(
        "Emulation.setDeviceMetricsOverride",
        {"width": 1280, "height": 800, "deviceScaleFactor": 2, "mobile": False},
    )
    x, y = review.middle("axial")
    page.emulate_media(reduced_motion="reduce")  # has the browser look at its screen anew
    page.wait_for_selector(f"#axial[width='{2 * size}']")
    page.keyboard.press("w")
    start, end = (x - 20, y), (x + 15, y + 10)
    disc = review.disc("axial", start, end, 8.0)
    review.drag(start, end)
    review.saved(1)
    np.testing.assert_array_equal(corrected(site, case_id), HEART & ~disc)

    # The next case waits for the last stroke, without a question.
    asked: list[str] = []
    held: list[Route] = []

    def answer(question: Dialog) -> None:
        asked.append(question.type)
        question.accept()

    def hold(route: Route) -> None:
        held.append(route)

    page.on("dialog", answer)
    page.route("**/journal", hold)
    review.drag((x - 20, y + 40), (x + 15, y + 40))
    page.click("#save-next")
    expect(page.locator("#save-next")).to_be_disabled()
    assert site.store.reviews.last_seq(case_id, "Heart") == 1
    held[0].continue_()
    page.wait_for_url(f"{site.url}/")
    assert asked == []
    assert site.store.reviews.last_seq(case_id, "Heart") == 2
    page.close()
