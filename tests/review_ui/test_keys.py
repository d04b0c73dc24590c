"""An account's own keys: kept on the server, checked there, and of that account alone."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import numpy as np
import pytest
from flask import Flask

from core.store import Store
from core.volume import Volume
from review_ui.accounts import create_user
from review_ui.roles import VIEWER
from tests.support.review_case import PASSWORD, Reviewer, put_case, small_geometry


def own_keys(who: Reviewer, path: str) -> dict[str, Any]:
    """The keys that a page gets for whoever asks for it."""
    found = re.search(r'data-own-keys="([^"]*)"', who.get(path).text)
    assert found is not None
    return dict(json.loads(html.unescape(found[1])))


@pytest.fixture
def case_path(store: Store) -> str:
    geometry = small_geometry()
    return f"/cases/{put_case(store, Volume(np.zeros(geometry.shape, np.int16), geometry))}"


def test_keys_are_kept_for_the_account_and_for_nobody_else(
    app: Flask, anna: Reviewer, case_path: str
) -> None:
    keys = {"toolAdd": ["7"], "undo": ["<", "ctrl+z"], "grow": ["+"]}
    assert anna.post("/api/keys", keys=keys).json == {"keys": keys}
    assert own_keys(anna, case_path) == keys
    assert own_keys(Reviewer.log_in(app), "/account/") == keys
    create_user(app, "vera", PASSWORD, VIEWER)
    vera = Reviewer.log_in(app, "vera")
    assert own_keys(vera, case_path) == {}
    assert anna.post("/api/keys", keys={}).json == {"keys": {}}
    assert own_keys(anna, case_path) == {}


def test_an_action_that_nobody_knows_is_dropped(anna: Reviewer, case_path: str) -> None:
    answer = anna.post("/api/keys", keys={"toolAdd": ["7"], "formatDisk": ["8"]})
    assert answer.json == {"keys": {"toolAdd": ["7"]}}
    assert own_keys(anna, case_path) == {"toolAdd": ["7"]}


@pytest.mark.parametrize(
    "keys",
    [
        {"toolAdd": "7"},
        {"toolAdd": []},
        {"toolAdd": ["a b"]},
        {"toolAdd": [7]},
        {"toolAdd": ["x" * 30]},
        {"toolAdd": list("abcde")},
        {"<script>": ["7"]},
        {f"action{n}": ["7"] for n in range(300)},
        {"toolAdd": ["7"], "toolErase": ["7"]},
        ["toolAdd"],
    ],
)
def test_what_is_no_table_of_keys_is_refused(anna: Reviewer, case_path: str, keys: object) -> None:
    anna.post("/api/keys", keys={"toolAdd": ["9"]})
    answer = anna.post("/api/keys", keys=keys)
    assert answer.status_code == 422
    assert answer.json["error"]["message"]  # type: ignore[index]
    assert own_keys(anna, case_path) == {"toolAdd": ["9"]}


def test_keys_without_the_token_are_not_kept(anna: Reviewer, case_path: str) -> None:
    assert anna.client.post("/api/keys", json={"keys": {"toolAdd": ["7"]}}).status_code == 400
    assert own_keys(anna, case_path) == {}
