"""Whether the hospital's login service answers, as the review page would ask it."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from app.checks.finding import Finding, fail, ok
from core.config import Settings
from core.errors import LoginServiceError
from review_ui.oidc_provider import OidcProvider

_DO = {
    "no_answer": "Check network, firewall and oidc.authorities: who signed its certificate.",
    "wrong_metadata": "Spell oidc.issuer as its metadata do; all their addresses must be https.",
    "no_secret": "Let the node's account alone read oidc.client_secret_file: chmod 600.",
}


def login_service(settings: Settings) -> Iterator[Finding]:
    """One finding where there is one, else none."""
    if not settings.oidc.issuer:
        return
    check = "login service"
    try:
        OidcProvider(Flask(__name__), settings.oidc, "").require_answer()
    except LoginServiceError as error:
        do = _DO.get(error.reason, "Its log and ours say more.")
        yield fail(check, f"{settings.oidc.issuer} cannot be used ({error.reason})", do)
    else:
        yield ok(check, f"{settings.oidc.issuer} answers")
