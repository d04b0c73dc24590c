"""The status page in a real browser: an administrator tests a peer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from waitress.server import create_server

from app.review import end
from core.config import PeerSettings
from core.errors import DeliveryError
from core.store import open_store
from review_ui import create_app
from review_ui.accounts import ADMIN, create_user
from tests.browser.conftest import Site, log_in
from tests.support.review_case import PASSWORD
from tests.support.settings import peer_values, settings_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A page whose peer TPS answers, and whose peer ARCHIVE does not."""

    def ask(peer: PeerSettings) -> None:
        if peer.name == "ARCHIVE":
            raise DeliveryError("No association with ARCHIVE: nobody answers there.")

    settings = settings_for(tmp_path, peers=[peer_values("TPS"), peer_values("ARCHIVE")])
    store = open_store(settings)
    app = create_app(settings, store, ask_peer=ask)
    create_user(app, "anna", PASSWORD, ADMIN)
    server: Any = create_server(app, host="127.0.0.1", port=0, threads=8)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield Site(f"http://127.0.0.1:{server.effective_port}", store)
    end(server, thread)
    store.engine.dispose()


def test_the_button_tells_what_came_of_a_test(chromium: Browser, site: Site) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    log_in(page, site)
    page.goto(f"{site.url}/status")
    peers = page.locator("#peers .row")
    expect(peers).to_have_count(2)
    peers.filter(has_text="TPS").get_by_role("button").click()
    expect(peers.filter(has_text="TPS")).to_contain_text("TPS answers, after 0.0")
    peers.filter(has_text="ARCHIVE").get_by_role("button").click()
    expect(peers.filter(has_text="ARCHIVE")).to_contain_text("nobody answers there")
    page.wait_for_timeout(2500)  # the page goes on asking for its status: the answer stays
    expect(peers.filter(has_text="ARCHIVE")).to_contain_text("nobody answers there")
    context.close()
