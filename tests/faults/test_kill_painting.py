"""kill -9 of the browser or of the web process while a hand paints: no saved stroke is lost."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, expect

from app.clinic import wait_for
from core.approval import replayed
from core.config import load_settings
from core.store import Store, open_store
from review_ui import create_app
from review_ui.accounts import create_user
from tests.browser.conftest import Site
from tests.browser.reference_case import CT, GEOMETRY, HEART
from tests.browser.review_page import ReviewPage
from tests.support.browser import PATIENCE_MS, launch
from tests.support.painter import Painter, replay
from tests.support.review_case import PASSWORD, Reviewer, put_case
from tests.support.settings import free_port, write_config

pytestmark = [pytest.mark.browser, pytest.mark.slow]

KILLS = 20
STROKES_AT_LEAST = 20


class Web:
    """The web process alone."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.url = f"http://127.0.0.1:{load_settings(config).review.port}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.review", str(self.config)],
            env={**os.environ, "RECONTOUR_PARENT": str(os.getpid())},
            start_new_session=True,  # as in tests/support/node.py
        )

        def answers() -> bool:
            with contextlib.suppress(OSError):
                return bool(urllib.request.urlopen(f"{self.url}/healthz").status == 200)
            return False

        wait_for(answers, timeout_s=60, what="the review page", every_s=0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Chromium:
    """A browser that can be killed with all its processes, and knows who is logged in."""

    def __init__(self, driver: Playwright, url: str, cookie: str) -> None:
        self.driver, self.url, self.cookie = driver, url, cookie
        self.start()

    def start(self) -> None:
        self.is_killed = threading.Event()
        mark = f"--recontour-test={uuid.uuid4().hex}"
        self.browser: Browser = launch(self.driver, mark)
        # A child that is still to become another program has the same arguments.
        found = {pid: _parent(pid) for pid in map(int, _pids()) if mark in _arguments(pid)}
        (self.pid,) = (pid for pid, parent in found.items() if parent and parent not in found)
        self.context: BrowserContext = self.browser.new_context(
            viewport={"width": 1280, "height": 720}
        )
        self.context.set_default_timeout(PATIENCE_MS)
        cookie = {"name": "recontour", "value": self.cookie, "url": self.url}
        self.context.add_cookies([cookie])  # type: ignore[list-item]
        self.page: Page = self.context.new_page()

    def kill(self) -> None:
        self.is_killed.set()
        os.killpg(self.pid, signal.SIGKILL)


def _pids() -> Iterator[str]:
    return (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _arguments(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return []


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0  # it has ended


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, review={"port": free_port(), "hold_s": 0})


@pytest.fixture
def store(config: Path) -> Iterator[Store]:
    opened = open_store(load_settings(config))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def cookie(config: Path, store: Store) -> str:
    """Of anna, who has logged in."""
    app = create_app(load_settings(config), store)
    create_user(app, "anna", PASSWORD)
    found = Reviewer.log_in(app).client.get_cookie("recontour")
    assert found is not None
    return str(found.value)


def test_twenty_random_kills_while_painting_lose_at_most_the_stroke_under_the_hand(
    playwright_driver: Playwright, config: Path, store: Store, cookie: str
) -> None:
    rng = random.Random(20)
    case_id = put_case(store, CT, prediction=HEART)
    web = Web(config)
    chromium = Chromium(playwright_driver, web.url, cookie)
    victims = ["browser", "web"] * (KILLS // 2)
    rng.shuffle(victims)
    painter = Painter(rng, GEOMETRY.shape)
    strokes, corrected = 0, HEART
    review = ReviewPage.open(chromium.page, Site(web.url, store), case_id, GEOMETRY)
    try:
        for victim in victims:
            begun = len(painter.drawn)
            if victim == "browser":
                shown_as_saved = paint_until_the_browser_is_killed(painter, review, chromium)
                chromium.start()
            else:
                paint_while_the_web_process_is_killed(painter, review, web)
                # The page kept what it could not send, and sends it now.
                review.saved(len(painter.drawn))
                shown_as_saved = len(painter.drawn)
            strokes += len(painter.drawn) - begun

            review = ReviewPage.open(chromium.page, Site(web.url, store), case_id, GEOMETRY)
            kept = len(store.reviews.entries(case_id, "Heart"))
            assert kept >= shown_as_saved, victim
            assert kept >= len(painter.drawn) - 1, victim
            painter.kept(kept)
            expected = replay(painter.drawn, GEOMETRY.shape)
            layer = replayed(store, store.cases.get(case_id), "Heart")
            assert np.array_equal(layer.values.reshape(GEOMETRY.shape), expected), victim
            corrected = (HEART | (expected == 1)) & (expected != 2)
            review.wait(seq=kept, pending=0, voxels=int(corrected.sum()))
        assert strokes >= STROKES_AT_LEAST

        # What is approved is what the hand drew: page and node come to the same checksum.
        chromium.page.click("#approve")
        chromium.page.click("#confirm-approve")
        expect(chromium.page.locator("#approved")).to_contain_text("Approved by anna")
        approved = store.reviews.correction_of(case_id, "Heart")
        assert approved is not None
        mask = store.files.read_mask(case_id, f"correction-{approved.id}")
        assert np.array_equal(mask, corrected)
    finally:
        with contextlib.suppress(Error):
            chromium.browser.close()
        web.kill()


def paint_until_the_browser_is_killed(
    painter: Painter, review: ReviewPage, chromium: Chromium
) -> int:
    """How many steps the page had shown as saved when it died; each was waited for, as by eye."""
    shown_as_saved = painter.released
    killer = threading.Timer(painter.rng.uniform(0.2, 1.6), chromium.kill)
    killer.start()
    # A page that is going away may also have no boxes and no attributes any more.
    with contextlib.suppress(Error, AssertionError, ValueError):
        while True:
            painter.step(review)
            review.saved(painter.released)
            shown_as_saved = painter.released
    assert chromium.is_killed.is_set()
    killer.join()
    with contextlib.suppress(Error):
        chromium.browser.close()
    return shown_as_saved


def paint_while_the_web_process_is_killed(painter: Painter, review: ReviewPage, web: Web) -> None:
    """Paint on, before the web process is killed, without it, and once it is there again."""
    killer = threading.Timer(painter.rng.uniform(0.1, 1.0), web.kill)
    killer.start()
    while killer.is_alive():
        painter.step(review)
    painter.step(review)
    web.start()
