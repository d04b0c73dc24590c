"""Who may what: four roles, and for every route the one thing that it takes.

A route that has no entry here does not come up: nothing is open by oversight.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from flask import Flask
from flask_security import current_user

from core.errors import ConfigError

ADMIN, PHYSICIST, PHYSICIAN, VIEWER = "admin", "physicist", "physician", "viewer"


class May(StrEnum):
    """What a route takes; the value ends the sentence that refuses."""

    LOOK = "look at this"
    CONTOUR = "change a case"
    APPROVE = "decide on a case"
    DECIDE = "decide what is learned from"
    SEND = "send a structure set again"
    MODELS = "change what is in service"
    NODE = "look after the node"
    QUARANTINE = "see the quarantine"
    AUDIT = "read the audit"
    PEOPLE = "look after accounts"
    STUDY = "choose how a case is contoured"
    EVERY_CASE = "see the cases of every group"


GRANTS: dict[str, frozenset[May]] = {
    VIEWER: frozenset({May.LOOK}),
    PHYSICIAN: frozenset({May.LOOK, May.CONTOUR, May.APPROVE, May.DECIDE, May.SEND}),
    PHYSICIST: frozenset(
        {
            May.LOOK,
            May.CONTOUR,
            May.DECIDE,
            May.SEND,
            May.MODELS,
            May.NODE,
            May.STUDY,
            May.EVERY_CASE,
        }
    ),
    ADMIN: frozenset(
        {
            May.LOOK,
            May.DECIDE,
            May.SEND,
            May.MODELS,
            May.NODE,
            May.QUARANTINE,
            May.AUDIT,
            May.PEOPLE,
            May.STUDY,
            May.EVERY_CASE,
        }
    ),
}
ROLES = tuple(GRANTS)

PUBLIC_ENDPOINTS = frozenset(
    {
        "static",
        "security.login",
        "status.healthz",
        "metrics.readyz",
        # Between password and second factor: the password was right, and nobody is logged in yet.
        "security.two_factor_setup",
        "security.two_factor_token_validation",
        "security.mf_recovery",
        # To the hospital's provider and back: nobody is logged in until it is proved.
        "oidc.begin",
        "oidc.finish",
    }
)
CLOSED_ENDPOINTS = frozenset({"security.two_factor_rescue", "security.tf_select"})
"""Of a library that has more than we use: as if they were not there."""
OWN_ENDPOINTS = frozenset(
    {
        "security.logout",
        "security.two_factor_setup_validate",
        "security.mf_recovery_codes",
        "api.session_facts",
        "account.page",
        "account.change_password",
        "account.change_name",
        "account.start",
        "account.end_tour",
    }
)
"""Of whoever is logged in, also before the first page has been left."""

ENDPOINTS: dict[str, May] = {
    "worklist.page": May.LOOK,
    "worklist.api": May.LOOK,
    "worklist.following": May.LOOK,
    "worklist.search": May.LOOK,
    "review.page": May.LOOK,
    "review.rtstruct": May.LOOK,
    "figures.page": May.LOOK,
    "figures.choose_arm": May.STUDY,
    "observations.ask_observer": May.STUDY,
    "observations.withdraw": May.STUDY,
    "observations.page": May.CONTOUR,
    "observations.facts": May.CONTOUR,
    "observations.open_observation": May.CONTOUR,
    "observations.renew": May.CONTOUR,
    "observations.release": May.CONTOUR,
    "observations.journal": May.CONTOUR,
    "observations.add_entry": May.CONTOUR,
    "observations.ct": May.CONTOUR,
    "observations.layers": May.CONTOUR,
    "observations.figures": May.CONTOUR,
    "observations.events": May.CONTOUR,
    "observations.sign": May.CONTOUR,
    "status.page": May.LOOK,
    "status.api": May.LOOK,
    "metrics.page": May.NODE,
    "deliveries.page": May.LOOK,
    "work.page": May.LOOK,
    "deliveries.send_again": May.SEND,
    "models.page": May.LOOK,
    "models.card_page": May.LOOK,
    "models.card_api": May.LOOK,
    "models.change": May.MODELS,
    "models.decide": May.DECIDE,
    # It tells how long people take, like the times of others in My work.
    "cohort.page": May.NODE,
    "cohort.download": May.NODE,
    "reports.dose_csv": May.LOOK,
    "reports.returned_csv": May.LOOK,
    "peers.echo": May.NODE,
    "audit.page": May.AUDIT,
    "audit.as_csv": May.AUDIT,
    "users.page": May.PEOPLE,
    "users.create": May.PEOPLE,
    "users.reset_password": May.PEOPLE,
    "users.change_roles": May.PEOPLE,
    "users.change_active": May.PEOPLE,
    "users.reset_second_factor": May.PEOPLE,
    "users.change_groups": May.PEOPLE,
    "quarantine.page": May.QUARANTINE,
    "quarantine.file": May.QUARANTINE,
    "quarantine.delete": May.QUARANTINE,
    "volumes.ct": May.LOOK,
    "volumes.prediction": May.LOOK,
    "layers.layers": May.LOOK,
    "layers.dose": May.LOOK,
    "layers.uncertainty": May.LOOK,
    "layers.reference": May.LOOK,
    "keys.keep": May.LOOK,
    "openapi.spec": May.LOOK,
    "api.facts": May.LOOK,
    "api.journal": May.LOOK,
    "api.figures": May.LOOK,
    "api.events": May.LOOK,
    "api.open_case": May.CONTOUR,
    "api.renew": May.CONTOUR,
    "api.release": May.CONTOUR,
    "api.add_entry": May.CONTOUR,
    "api.approve_case": May.APPROVE,
    "flow.colleagues": May.CONTOUR,
    "flow.pass_on": May.CONTOUR,
    "flow.reject": May.APPROVE,
    "flow.take_back": May.APPROVE,
    "flow.reopen": May.APPROVE,
    "flow.turn": May.CONTOUR,
}


def granted(roles: Iterable[str]) -> frozenset[May]:
    """What accounts with these roles may do; an unknown role grants nothing."""
    return frozenset().union(*(GRANTS.get(role, frozenset()) for role in roles))


def i_may(what: May) -> bool:
    """Whether the account that asks may do this."""
    return what in granted(role.name for role in current_user.roles)


def roles_that(what: May) -> list[str]:
    """The roles that may do this."""
    return [role for role, may in GRANTS.items() if what in may]


def refusal(what: May) -> str:
    """Why an account may not: who may."""
    who = " or ".join(roles_that(what))
    return f"Only the role {who} may {what}. Ask an administrator for it."


def require_complete(app: Flask) -> None:
    """Raise `ConfigError` where a route of `app` says nowhere who may use it."""
    known = ENDPOINTS.keys() | PUBLIC_ENDPOINTS | OWN_ENDPOINTS | CLOSED_ENDPOINTS
    forgotten = sorted({rule.endpoint for rule in app.url_map.iter_rules()} - known)
    if forgotten:
        raise ConfigError(
            f"review_ui/roles.py does not say who may use {', '.join(forgotten)}. Add it there."
        )
