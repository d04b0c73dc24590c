"""One's own account: the first page of a new one, and later password and name."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from core.errors import AccountError
from review_ui.accounts import (
    FEWEST_DIFFERENT,
    SHORTEST_PASSWORD,
    must_choose_password,
    present_password_problem,
    set_password,
)
from review_ui.context import desk
from review_ui.roles import May, i_may
from review_ui.still_to_do import still_to_do

blueprint = APIBlueprint("account", __name__, url_prefix="/account", enable_openapi=False)

LONGEST_NAME = 64
TOUR = (
    (("toolAdd", "toolRemove", "toolErase"), "add, remove, and erase what you corrected."),
    (("brushSmaller", "brushLarger"), "smaller and larger brush."),
    (("showPrediction", "showCorrections", "showOutline"), "prediction, corrections, outline."),
    (("showReference",), "contour of the planning system, where there is one."),
    (("showDose", "showIsodose"), "dose as colours and as lines in Gy."),
    (("showUncertainty",), "what the model is undecided about."),
    (("takeProposal", "dismissProposal"), "take or dismiss what is proposed, drawn hatched."),
    (("undo", "redo"), "undo and redo, without end."),
    (("help",), "every key, on the review page."),
)
"""Actions of review_ui/static/js/keyboard.js, and what they do."""


@blueprint.get("/")
def page() -> str:
    """Password, name, a tour of keys and layers; for who looks after the node what is to do."""
    return _page()


@blueprint.post("/password")
def change_password() -> ResponseReturnValue:
    """Change the password; other sessions of the account end, this one goes on."""
    form, name = request.form, current_user.username
    new = form.get("new", "")
    problem = present_password_problem(form.get("current", ""))
    if not problem and new != form.get("again", ""):
        problem = "The two new passwords differ."
    if not problem and new == form.get("current"):
        problem = "The new password is the present one. Choose another."
    if not problem:
        try:
            # Flask-Login finds the account by this; other sessions keep the old one.
            session["_user_id"] = set_password(current_app, name, new, who=name)
        except AccountError as error:
            problem = str(error)
    return (_page(problem=problem), 422) if problem else _back()


@blueprint.post("/name")
def change_name() -> ResponseReturnValue:
    """How the pages call this account; empty is its user name."""
    typed = " ".join(request.form.get("display_name", "").split())[:LONGEST_NAME]
    if not typed.isprintable():
        return _page(problem="The name has signs that cannot be printed. Leave them out."), 422
    desk().store.accounts.set_display_name(current_user.username, typed, now=desk().now())
    return _back()


@blueprint.post("/start")
def start() -> ResponseReturnValue:
    """Leave the first page for the worklist, for good; not with a one-time password."""
    if not must_choose_password():
        desk().store.accounts.set_welcomed(current_user.username)
    return redirect(url_for("worklist.page"), code=303)


@blueprint.post("/tour")
def end_tour() -> dict[str, bool]:
    """End the tour of worklist and review page, for good."""
    desk().store.accounts.end_tour(current_user.username, now=desk().now())
    return {"ended": True}


def tour_is_due() -> bool:
    """Whether whoever is logged in is still to be led through the page, for templates."""
    wanted = desk().settings.review.tour
    return wanted and not desk().store.accounts.has_toured(current_user.username)


def _back() -> ResponseReturnValue:
    return redirect(url_for("account.page"), code=303)


def _page(*, problem: str = "") -> str:
    return render_template(
        "account.html",
        problem=problem,
        to_do=still_to_do(desk()) if i_may(May.NODE) else None,
        tour=TOUR,
        shortest=SHORTEST_PASSWORD,
        fewest=FEWEST_DIFFERENT,
    )
