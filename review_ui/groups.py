"""Whose cases an account sees: by default none but those of its groups and of everybody.

Every route that names a case is closed to whoever does not see it, as if the case were not there;
of all other routes those alone are open that say nothing of cases or leave such cases out. A route
of which neither is known does not come up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

from flask import Flask, g, request

from core.config import Settings
from core.errors import ConfigError, NoSuchCaseError
from core.group_store import EVERYBODY, NAMES_A_CASE, UNDECIDED, Sight
from review_ui.context import Desk, desk
from review_ui.roles import (
    CLOSED_ENDPOINTS,
    ENDPOINTS,
    OWN_ENDPOINTS,
    PUBLIC_ENDPOINTS,
    May,
    granted,
    roles_that,
)

LEAVE_OUT = frozenset(
    {
        "worklist.page",
        "worklist.api",
        "worklist.following",
        "worklist.search",
        "work.page",
        "status.page",
        "status.api",
        "deliveries.page",
        "models.page",
        "reports.dose_csv",
        "reports.returned_csv",
    }
)
"""These leave out the cases that are not in sight."""
OF_NO_CASE = frozenset({"models.card_page", "models.card_api", "keys.keep", "openapi.spec"})
NOT_THERE = "There is no such case. Open it from the worklist."
_ID = re.compile(r"[0-9a-f]{32}")


def my_sight() -> Sight:
    """What the account that asks may see."""
    return cast(Sight, g.sight)


def who_sees(room: Desk, case_id: str, usernames: Iterable[str]) -> list[str]:
    """Those of these accounts that see a case, in their order."""
    wanted, group = set(usernames), room.store.groups.of_case(case_id)
    groups = room.store.groups.of_all()
    sights = {
        one.username: _sight(room.settings, one.roles, groups.get(one.username, frozenset()))
        for one in room.store.accounts.all()
        if one.username in wanted
    }
    return [name for name, sight in sights.items() if sight is None or group in sight]


def require_seen(username: str, roles: Iterable[str]) -> None:
    """Raise `NoSuchCaseError` where the request names a case that the account does not see.

    One sentence for what is not there and for what is another group's; both are audited.
    """
    room = desk()
    g.sight = _sight(room.settings, roles, room.store.groups.of(username))
    if g.sight is None:
        return
    for name, value in (request.view_args or {}).items():
        if name in NAMES_A_CASE and not room.store.groups.sees(g.sight, name, value):
            if _ID.fullmatch(value):
                room.store.groups.refused(name, value, who=username, now=room.now())
            raise NoSuchCaseError(NOT_THERE)


def require_complete(app: Flask) -> None:
    """Raise `ConfigError` where nobody says how a route of `app` keeps groups apart."""
    for_all = set(roles_that(May.EVERY_CASE))
    kept = PUBLIC_ENDPOINTS | OWN_ENDPOINTS | CLOSED_ENDPOINTS | LEAVE_OUT | OF_NO_CASE
    kept |= {name for name, may in ENDPOINTS.items() if for_all.issuperset(roles_that(may))}
    forgotten = sorted(
        {
            rule.endpoint
            for rule in app.url_map.iter_rules()
            if rule.endpoint not in kept and not rule.arguments & NAMES_A_CASE
        }
    )
    if forgotten:
        raise ConfigError(
            f"review_ui/groups.py does not say what {', '.join(forgotten)} shows of other groups' "
            "cases. Add it there."
        )


def _sight(settings: Settings, roles: Iterable[str], groups: frozenset[str]) -> Sight:
    if May.EVERY_CASE in granted(roles):
        return None
    # Without groups in config.yaml nothing that arrives can become somebody's alone.
    undecided = frozenset() if settings.groups() else frozenset({UNDECIDED})
    return groups | {EVERYBODY} | undecided
