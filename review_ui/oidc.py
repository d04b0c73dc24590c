"""Log in at the hospital's own provider: who it proves enters the account of that name here."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, cast

from apiflask import APIBlueprint
from flask import Flask, abort, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from core.config import Settings
from core.errors import AccountError, LoginServiceError
from review_ui.accounts import (
    PROVIDER,
    create_user,
    guesses,
    is_username,
    log_in_as,
    note_refusal,
    set_groups,
    user_exists,
)
from review_ui.context import desk
from review_ui.guessing import too_many
from review_ui.oidc_provider import NOT_BEGUN, OidcProvider

blueprint = APIBlueprint("oidc", __name__, url_prefix="/oidc", enable_openapi=False)

CALLBACK = "/oidc/callback"
_EXTENSION = "recontour-oidc"
_NEXT = "oidc_next"
_OWN_PATH = re.compile(r"/(?![/\\])[\w\-./~%?=&]*", re.ASCII)


def install(app: Flask, settings: Settings) -> None:
    """Give `app` the provider of config.yaml, where there is one."""
    app.add_template_global(lambda: bool(settings.oidc.issuer), "provider_login")
    if settings.oidc.issuer:
        address = f"{settings.review.public_url}{CALLBACK}"
        app.extensions[_EXTENSION] = OidcProvider(app, settings.oidc, address)


@blueprint.get("/login")
def begin() -> ResponseReturnValue:
    """Lead the browser to the provider."""
    provider = _provider()
    if wait := guesses().wait("", _address(), now=desk().now()):
        return _refused(too_many(wait), 429)
    try:
        led = provider.begin()
    except LoginServiceError as error:
        return _refused(str(error), 502)
    session[_NEXT] = request.args.get("next", "")
    return led


@blueprint.get("/callback")
def finish() -> ResponseReturnValue:
    """Let in who comes back with a proof, or say why not."""
    provider, address, now = _provider(), _address(), desk().now()
    if wait := guesses().wait("", address, now=now):
        return _refused(too_many(wait), 429)
    wanted = session.pop(_NEXT, None)  # a begin is good for one end
    if wanted is None:  # also any page elsewhere can lead here: it is nobody's attempt
        return _refused(NOT_BEGUN, 403)
    try:
        claims = provider.finish()
    except LoginServiceError as error:
        guesses().refuse("", address, now=now)
        note_refusal("", address, by=PROVIDER, reason=error.reason)
        return _refused(str(error), 502 if error.reason == "no_answer" else 403)
    name = _name_in(claims)
    if wait := guesses().wait(name, address, now=now):
        return _refused(too_many(wait), 429)
    reason, words = _enter(name, claims)
    if reason:
        guesses().refuse(name, address, now=now)
        note_refusal(name, address, by=PROVIDER, reason=reason)
        return _refused(words, 403)
    guesses().accept(name, address)
    return redirect(own_path(wanted))


def own_path(wanted: str) -> str:
    """Where somebody wanted to go, if that is a page of ours; else the worklist."""
    return wanted if _OWN_PATH.fullmatch(wanted) else url_for("worklist.page")


def _enter(name: str, claims: Mapping[str, Any]) -> tuple[str, str]:
    """Log in the account of this name; why not, for the audit and in words, where it may not."""
    oidc = desk().settings.oidc
    if not name:
        return "no_name", (
            f"The hospital's login service does not say a user name ({oidc.name_claim}) that can "
            "be one here. Ask whoever looks after the node."
        )
    if not user_exists(current_app, name):
        if not oidc.make_accounts:
            return "no_account", f"There is no account {name} here. Ask an administrator for one."
        if not (roles := oidc.roles_of(claims)):
            return "no_role", "Your hospital account gives no role here. Ask an administrator."
        try:
            _make(name, roles, oidc.groups_of(claims))
        except AccountError as error:
            return "not_made", str(error)
    if not log_in_as(name):
        return "not_active", "This account is not active. Ask an administrator."
    return "", ""


def _make(name: str, roles: frozenset[str], groups: frozenset[str]) -> None:
    # Nobody knows this password: until an administrator gives another, the provider is the way in.
    password = secrets.token_urlsafe(32)
    create_user(current_app, name, password, *roles, welcomed=False, who=PROVIDER)
    if groups:
        set_groups(current_app, name, groups, who=PROVIDER)


def _name_in(claims: Mapping[str, Any]) -> str:
    """The name that a proof is for; empty where there is none that can be a name here."""
    claim = desk().settings.oidc.name_claim
    found = claims.get(claim)
    proved = claim != "email" or claims.get("email_verified") is not False
    return found if isinstance(found, str) and proved and is_username(found) else ""


def _provider() -> OidcProvider:
    found = current_app.extensions.get(_EXTENSION)
    if found is None:
        abort(404)
    return cast(OidcProvider, found)


def _address() -> str:
    return request.remote_addr or ""


def _refused(words: str, status: int) -> ResponseReturnValue:
    return render_template("oidc_refused.html", words=words), status
