"""Nothing without a login, nothing from elsewhere: default-deny, CSRF, headers, session cookie."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask, Response, abort, current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user, logout_user
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.orm import Session, scoped_session

from core.config import Settings
from review_ui import blind, groups, metrics, second_factor
from review_ui.accounts import SESSION_ID, must_choose_password
from review_ui.context import desk
from review_ui.errors import answer, error_response
from review_ui.roles import (
    CLOSED_ENDPOINTS,
    ENDPOINTS,
    OWN_ENDPOINTS,
    PUBLIC_ENDPOINTS,
    May,
    granted,
    refusal,
)
from review_ui.secrets_folder import secret

NOT_RIGHT = "User name or password is not right."
NOT_ACTIVE = "This account is not active. Ask an administrator."
LARGEST_BODY_BYTES = 16 * 1024 * 1024
"""A stroke over a whole sagittal slice is about 1 MB."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


_ASK_FOR_A_KEY = {"WWW-Authenticate": "Bearer", "Content-Type": "text/plain; charset=utf-8"}
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def configure(app: Flask, settings: Settings) -> None:
    """Put the settings that guard sessions, logins and bodies into `app`."""
    app.config.update(
        SECRET_KEY=secret(settings.data_folder, "session_key"),
        SECURITY_PASSWORD_SALT=secret(settings.data_folder, "password_salt"),
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106 (the name of an algorithm)
        SECURITY_USER_IDENTITY_ATTRIBUTES=[{"username": {"mapper": str}}],
        SECURITY_API_ENABLED_METHODS=["session"],
        # One sentence for both: the page does not tell which names exist.
        SECURITY_MSG_USER_DOES_NOT_EXIST=(NOT_RIGHT, "error"),
        SECURITY_MSG_INVALID_PASSWORD=(NOT_RIGHT, "error"),
        SECURITY_MSG_DISABLED_ACCOUNT=(
            "This account is not active. Ask an administrator.",
            "error",
        ),
        SECURITY_LOGIN_USER_TEMPLATE="login.html",
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_POST_LOGOUT_VIEW="/login",
        SECURITY_FLASH_MESSAGES=False,
        SECURITY_STATIC_FOLDER=None,
        SECURITY_FRESHNESS=timedelta(minutes=-1),  # no page that asks for the password again
        SECURITY_SEND_REGISTER_EMAIL=False,
        **second_factor.settings_of(settings),
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        SESSION_COOKIE_NAME="recontour",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.review.is_encrypted(),
        # Not renewed by requests: a worklist left open must not keep a login alive for ever.
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(minutes=settings.review.session_minutes),
        MAX_CONTENT_LENGTH=LARGEST_BODY_BYTES,
    )


def guard(app: Flask, accounts: scoped_session[Session]) -> None:
    """Refuse whatever nobody is logged in for, and send the headers that keep a page to itself.

    Call it after the accounts are installed; every route that comes later is guarded too.
    """
    CSRFProtect(app)
    app.before_request(_bound_the_library)

    @app.before_request
    def _require_login() -> ResponseReturnValue | None:
        if request.endpoint == "static":
            return None  # of nobody: no session, no account is looked up
        if not session.permanent:  # set anew it would be renewed, and a page that polls never ends
            session.permanent = True
        _end_what_is_over()
        logged_in = bool(current_user.is_authenticated)
        roles = [role.name for role in current_user.roles] if logged_in else []
        name = current_user.username if logged_in else ""
        # The account is read; do not hold its database snapshot while a CT streams.
        accounts.remove()
        if request.endpoint in PUBLIC_ENDPOINTS or (
            request.endpoint == "metrics.page" and metrics.has_key()
        ):
            return None
        if logged_in:
            permitted = _unless_permitted(ENDPOINTS.get(request.endpoint or ""), roles)
            refused = _first_page() or permitted
            if refused is None:
                groups.require_seen(name, roles)
            return refused or blind.refusal_for(desk().store, name)
        if request.endpoint == "metrics.page":
            return "A key is missing: recontour key add NAME.\n", 401, _ASK_FOR_A_KEY
        if request.path.startswith("/api/"):
            return error_response(401, "login", "You are not logged in. Log in in another tab.")
        return redirect(url_for("security.login", next=request.full_path.rstrip("?")))

    app.after_request(_note_look)
    app.after_request(_add_headers)


def _bound_the_library() -> ResponseReturnValue | None:
    """Keep Flask-Security's routes to what we use of them, and to what they can bear."""
    if request.endpoint in CLOSED_ENDPOINTS:
        abort(404)
    takes_json = request.blueprint == "security" and request.is_json
    if takes_json and not isinstance(request.get_json(silent=True), dict):
        abort(400)  # it takes JSON for a form, and breaks on what has no fields
    again = request.endpoint == "security.two_factor_token_validation" and "_user_id" in session
    if again and session.get("tf_state") != "validating_profile":
        # It would log out whoever is logged in, for a link from anywhere.
        return redirect(url_for("account.page"), code=303)
    return None


def _end_what_is_over() -> None:
    """Nobody is logged in by the copy of a cookie whose owner logged out; logging out is now."""
    login = session.get(SESSION_ID)
    if login is None:
        return
    room = desk()
    if request.endpoint == "security.logout" and request.method == "POST":
        lifetime = current_app.permanent_session_lifetime
        room.store.sessions.end(login, now=room.now(), lifetime=lifetime)
    elif room.store.sessions.is_over(login):
        logout_user()


def _note_look(response: Response) -> Response:
    of_a_case = "case_id" in (request.view_args or {})
    if of_a_case and response.status_code < 400 and current_user.is_authenticated:
        blind.note_look(desk(), current_user.username)
    return response


def _add_headers(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Permissions-Policy"] = PERMISSIONS_POLICY
    if current_app.config["SESSION_COOKIE_SECURE"]:  # once https, never again without
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint == "static" and response.status_code in (200, 304):
        # Its address changes with its content.
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    else:
        # Pictures and names of patients do not stay in a browser's cache.
        response.headers["Cache-Control"] = "no-store"
    return response


def _first_page() -> ResponseReturnValue | None:
    """None where an account may go on; else it is led to where it must go first.

    A one-time password opens nothing else. Who has not been welcomed is led there by pages alone.
    """
    if request.endpoint in OWN_ENDPOINTS:
        return None
    to_api = request.path.startswith("/api/")
    if must_choose_password() and to_api:
        return error_response(403, "password", "Choose a password of your own first.")
    if must_choose_password() or not (current_user.welcomed or to_api):
        return redirect(url_for("account.page"), code=303)
    return None


def _unless_permitted(what: May | None, roles: list[str]) -> ResponseReturnValue | None:
    """None where an account with these roles may go on, else the refusal."""
    if what is None or what in granted(roles):  # None: of whoever is logged in, or no page at all
        return None
    return answer(403, "forbidden", refusal(what))
