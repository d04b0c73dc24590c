"""Keys of the review page that an account has changed."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

from apiflask import APIBlueprint, abort
from flask_security import current_user

from review_ui.context import desk
from review_ui.schemas import KeysBody

blueprint = APIBlueprint("keys", __name__, url_prefix="/api")

TABLE = Path(__file__).parent / "static" / "js" / "keyboard.js"


@blueprint.post("/keys")
@blueprint.input(KeysBody, location="json")
def keep(json_data: KeysBody) -> dict[str, Any]:
    """Keep the account's own keys, and answer what is kept; an action nobody knows is dropped."""
    keys = {action: keys for action, keys in json_data.keys.items() if action in actions()}
    twice = [key for key, n in Counter(k for each in keys.values() for k in each).items() if n > 1]
    if twice:
        abort(422, f"The key {twice[0]} would do two things. Give each its own.")
    desk().store.accounts.set_keys(current_user.username, keys)
    return {"keys": keys}


def own_keys() -> dict[str, list[str]]:
    """The keys that whoever is logged in has changed, for templates."""
    return desk().store.accounts.keys_of(current_user.username)


@lru_cache
def actions() -> frozenset[str]:
    """What keys can do: the actions of the page's own table."""
    return frozenset(re.findall(r'action: "(\w+)"', TABLE.read_text()))
