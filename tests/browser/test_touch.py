"""Fingers and a pen in a real browser: what they paint is what brute force says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import CDPSession

from tests.browser.conftest import OpenPage, Site
from tests.browser.reference_case import CT, GEOMETRY, HEART, corrected
from tests.browser.review_page import PLANES, Point, ReviewPage
from tests.support.review_case import put_case

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# The eraser cannot be played by the browser's own input: the event alone comes from here.
ERASER = """([canvas, x, y]) => {
  const view = document.getElementById(canvas);
  view.setPointerCapture = () => undefined;
  const event = { pointerId: 77, pointerType: "pen", clientX: x, clientY: y, bubbles: true };
  view.dispatchEvent(new PointerEvent("pointerdown", { ...event, button: 5, buttons: 32 }));
  view.dispatchEvent(new PointerEvent("pointerup", { ...event, button: 5, buttons: 0 }));
}"""


class Hand:
    """Fingers and a pen, as the browser gets them from a screen."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session

    def touch(self, kind: str, *points: Point) -> None:
        """`kind` is Start, Move or End; every finger that is down is named."""
        spots = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        said = {"type": f"touch{kind}", "touchPoints": spots}
        self._session.send("Input.dispatchTouchEvent", said)

    def stroke(self, start: Point, end: Point) -> None:
        """One finger down, across and up."""
        self.touch("Start", start)
        self.touch("Move", end)
        self.touch("End")

    def pen(self, kind: str, point: Point) -> None:
        """`kind` is Pressed, Moved or Released."""
        press: dict[str, Any] = {} if kind == "Moved" else {"button": "left", "clickCount": 1}
        place = {"x": point[0], "y": point[1], "pointerType": "pen", "buttons": 1}
        self._session.send("Input.dispatchMouseEvent", {"type": f"mouse{kind}", **place, **press})


def test_fingers_paint_move_and_zoom_and_leave_painting_to_a_pen(
    open_page: OpenPage, site: Site
) -> None:
    case_id = put_case(site.store, CT, prediction=HEART)
    page = open_page(has_touch=True)
    review = ReviewPage.open(page, site, case_id, GEOMETRY)
    page.keyboard.press("m")
    hand = Hand(page.context.new_cdp_session(page))
    state, seq = HEART.copy(), 0

    def done(expected: Any) -> None:
        nonlocal state, seq
        seq += 1
        review.saved(seq)
        assert (expected != state).any()
        np.testing.assert_array_equal(corrected(site, case_id), expected)
        state = expected

    # One finger: a stroke and a tap, in every plane.
    page.keyboard.press("w")
    for plane in PLANES:
        x, y = review.middle(plane)
        hand.stroke((x - 20, y - 15), (x + 30, y - 5))
        done(state & ~review.disc(plane, (x - 20, y - 15), (x + 30, y - 5), 8.0))
    x, y = review.middle("axial")
    hand.touch("Start", (x - 10, y + 60))
    hand.touch("End")
    done(state & ~review.disc("axial", (x - 10, y + 60), (x - 10, y + 60), 8.0))
    page.keyboard.press("q")

    # Two fingers: the voxels between them stay between them, and nothing is painted.
    scale = float(review.data_of("axial", "scale"))
    under = review.to_mm("axial", (x, y))
    hand.touch("Start", (x - 40, y))
    hand.touch("Start", (x - 40, y), (x + 40, y))
    hand.touch("Move", (x - 80 + 30, y), (x + 80 + 30, y))
    hand.touch("End")
    page.wait_for_selector(f'#axial:not([data-scale="{scale}"])')
    assert float(review.data_of("axial", "scale")) == pytest.approx(2 * scale)
    np.testing.assert_allclose(review.to_mm("axial", (x + 30, y)), under, atol=1e-6)
    page.keyboard.press("0")

    # A pen paints; a hand that comes down meanwhile does not.
    start, end = (x - 10, y - 15), (x + 20, y)
    page.wait_for_selector(f'#axial:not([data-scale="{2 * scale}"])')
    hand.pen("Pressed", start)
    hand.stroke((x - 20, y + 110), (x + 20, y + 110))
    hand.pen("Moved", end)
    hand.pen("Released", end)
    done(state | review.disc("axial", start, end, 8.0))

    # The other end of the pen takes away.
    page.evaluate(ERASER, ["axial", *start])
    done(state & ~review.disc("axial", start, start, 8.0))

    # Where a pen paints, a finger turns slices, as soon as the pen is away.
    slice_before = int(review.data("slice"))
    for _ in range(40):
        if int(review.data("slice")) != slice_before:
            break
        hand.stroke((x, y), (x, y - 43))
        page.wait_for_timeout(50)
    review.wait(slice=slice_before + 3)
    # Nothing was painted on the way.
    page.keyboard.press("w")
    review.drag((x, y), (x, y))
    done(state & ~review.disc("axial", (x, y), (x, y), 8.0))


def test_a_hand_that_is_interrupted_or_not_alone_leaves_whole_strokes(
    open_page: OpenPage, site: Site
) -> None:
    case_id = put_case(site.store, CT, prediction=HEART)
    page = open_page(has_touch=True)
    review = ReviewPage.open(page, site, case_id, GEOMETRY)
    page.keyboard.press("m")
    page.keyboard.press("w")
    hand = Hand(page.context.new_cdp_session(page))

    # A finger on another view while one draws: it draws nothing, and spoils nothing.
    (x, y), (u, v) = review.middle("axial"), review.middle("coronal")
    hand.touch("Start", (x - 20, y))
    hand.touch("Move", (x + 10, y))
    hand.touch("Start", (x + 10, y), (u, v))
    hand.touch("Move", (x + 10, y), (u + 30, v))
    hand.touch("Move", (x + 30, y), (u + 30, v))
    hand.touch("End")
    review.saved(1)
    first = HEART & ~review.disc("axial", (x - 20, y), (x + 30, y), 8.0)
    np.testing.assert_array_equal(corrected(site, case_id), first)
    assert review.voxels == first.sum()

    # A lasso that a second finger interrupts takes nothing; a brush keeps what it has painted.
    page.keyboard.press("l")
    hand.touch("Start", (x - 40, y - 40))
    hand.touch("Move", (x + 40, y - 40))
    hand.touch("Move", (x + 40, y + 40))
    hand.touch("Start", (x + 40, y + 40), (x, y))
    hand.touch("End")
    page.keyboard.press("b")
    hand.touch("Start", (x - 20, y + 50))
    hand.touch("Move", (x + 20, y + 50))
    hand.touch("Start", (x + 20, y + 50), (x, y))
    hand.touch("End")
    review.saved(2)
    second = first & ~review.disc("axial", (x - 20, y + 50), (x + 20, y + 50), 8.0)
    np.testing.assert_array_equal(corrected(site, case_id), second)

    # A mouse whose release the browser never told draws on no further.
    mouse = page.mouse
    mouse.move(x - 20, y - 50)
    mouse.down()
    mouse.move(x, y - 50)
    page.evaluate("document.getElementById('axial').releasePointerCapture(1)")
    mouse.move(x + 30, y - 50)
    mouse.up()
    review.saved(3)
    third = second & ~review.disc("axial", (x - 20, y - 50), (x, y - 50), 8.0)
    np.testing.assert_array_equal(corrected(site, case_id), third)
    assert review.voxels == third.sum()
