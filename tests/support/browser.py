"""A real browser: Debian's Chromium, without a GPU, as on a hospital's thin client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, Playwright, ViewportSize, expect

from tests.support.peers import require_program

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZE = ViewportSize(width=1600, height=900)
# A page may be slow where other tests have the processor; what does not come at all is an error.
PATIENCE_MS = 90_000
expect.set_options(timeout=PATIENCE_MS)


def launch(driver: Playwright, *more: str) -> Browser:
    """A browser of its own; `more` are arguments beside those that every test needs."""
    program = str(require_program("chromium"))
    return driver.chromium.launch(executable_path=program, args=[*ARGUMENTS, *more])


@contextmanager
def open_browser_page(browser: Browser) -> Iterator[Page]:
    """A page in a fresh profile; an error on its console or in its scripts fails the test."""
    complaints: list[str] = []
    page = browser.new_page(viewport=SIZE)
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type == "error" else None,
    )
    yield page
    page.close()
    assert complaints == []


def log_in(page: Page, url: str, username: str, password: str) -> None:
    """Through the login form to the worklist."""
    page.goto(f"{url}/login")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", password)
    page.click("button[type=submit], input[type=submit]")
    page.wait_for_url(f"{url}/")
