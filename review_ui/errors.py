"""Errors as the browser gets them: one JSON shape for /api, a page in plain words elsewhere."""

from __future__ import annotations

import traceback

import structlog
from apiflask import HTTPError
from flask import Flask, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from core.database import database_is_away, disk_is_full
from core.errors import (
    CaseLockedError,
    EmptyStructureError,
    JournalConflictError,
    ModelUnavailableError,
    NoReasonError,
    NoRuleError,
    NoSuchCaseError,
    RecontourError,
    SecondPersonError,
    TransitionError,
)

log = structlog.get_logger()

STATUS_AND_KIND: dict[type[RecontourError], tuple[int, str]] = {
    NoSuchCaseError: (404, "no_such_case"),
    CaseLockedError: (409, "locked"),
    JournalConflictError: (409, "conflict"),
    TransitionError: (409, "state"),
    EmptyStructureError: (422, "empty"),
    NoReasonError: (422, "reason"),
    NoRuleError: (409, "no_rule"),
    ModelUnavailableError: (409, "model"),
    SecondPersonError: (409, "second_person"),
}
"""What a caller did that cannot be; any other error of ours is a fault of the node, 500."""

FULL = (
    "The node's disk is full; nothing was kept of this. Free space on the disk of the data folder, "
    "then try again."
)

AWAY = (
    "The database of the node does not answer. Wait a moment and try again; if it stays so, tell "
    "whoever looks after the node. Nothing that was saved is lost."
)

IN_OUR_WORDS = {
    404: "There is no such page. The address may be mistyped or old.",
    405: "This address is not opened in a browser. Go back and use the page's own buttons.",
    413: "This is more than the node takes at once; nothing was kept of it.",
}
"""What everybody may meet; others keep the words of their cause."""

OUR_CODE = frozenset({"core", "dose", "review_ui"})


def error_response(status: int, kind: str, message: str, **more: object) -> Response:
    """The one error shape: {"error": {"kind", "message"}}, with what else the caller may use."""
    response = jsonify({"error": {"kind": kind, "message": message}, **more})
    response.status_code = status
    return response


def install(app: Flask) -> None:
    """Answer every error in `app` in that shape, or as a page."""

    @app.errorhandler(RecontourError)
    def _ours(error: RecontourError) -> ResponseReturnValue:
        status, kind = STATUS_AND_KIND.get(type(error), (500, "node"))
        if status == 500:
            log.error("review.failed", **_fault(error), reason=str(error))
        return answer(status, kind, str(error))

    @app.errorhandler(CSRFError)
    def _forged(error: CSRFError) -> ResponseReturnValue:
        return answer(400, "csrf", f"{error.description} Reload the page and try again.")

    @app.errorhandler(HTTPError)
    def _invalid(error: HTTPError) -> ResponseReturnValue:
        return answer(error.status_code, "invalid", _sentence(error))

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> ResponseReturnValue:
        if error.response is not None or error.code is None:
            return error
        return answer(error.code, error.name.lower().replace(" ", "_"), _words(error))

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> ResponseReturnValue:
        if database_is_away(error):
            log.error("review.database_away", **_fault(error))
            return _without_database()
        if disk_is_full(error):
            log.error("review.disk_full", **_fault(error))
            return answer(507, "full", FULL)
        log.error("review.crashed", **_fault(error))
        return answer(500, "node", "The node could not do this. Its log says why.")


def _without_database() -> Response:
    """A page would ask the database who is logged in; this asks nothing."""
    if request.path.startswith("/api/"):
        response = error_response(503, "database", AWAY)
    else:
        response = Response(AWAY, 503, mimetype="text/plain")
    response.headers["Retry-After"] = "5"
    return response


def _fault(error: Exception) -> dict[str, str]:
    """What a log may know of a fault: type, route and line of code.

    Never the message or the address: both may carry values, and these a patient's name.
    """
    frames = [
        f"{frame.f_globals.get('__name__', '?')}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    ours = [place for place in frames if place.partition(".")[0] in OUR_CODE]
    route = request.url_rule.rule if request.url_rule else "?"
    return {
        "kind": type(error).__name__,
        "route": f"{request.method} {route}",
        "at": (ours or frames or ["?"])[-1],
    }


def answer(status: int, kind: str, message: str) -> ResponseReturnValue:
    """An error as its caller reads it: JSON for /api, a page elsewhere."""
    if request.path.startswith("/api/"):
        return error_response(status, kind, message)
    return render_template("message.html", title=f"Error {status}", message=message), status


def _words(error: HTTPException) -> str:
    """Those of its cause, or ours where there are only the framework's."""
    if error.code in IN_OUR_WORDS and error.description == type(error).description:
        return IN_OUR_WORDS[error.code]
    return error.description or ""


def _sentence(error: HTTPError) -> str:
    """Which field is wrong and why, from APIFlask's details."""
    details = error.detail.get("json", error.detail) if isinstance(error.detail, dict) else {}
    parts = [f"{field}: {', '.join(map(str, why))}" for field, why in dict(details).items()]
    return f"{error.message}: {'; '.join(parts)}." if parts else f"{error.message}."
