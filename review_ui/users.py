"""The accounts of the node, for administrators: made, given roles, kept out, let in again."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from core.errors import AccountError
from review_ui import second_factor
from review_ui.accounts import (
    create_user,
    one_time_password,
    require_groups,
    require_roles,
    set_groups,
    set_password,
)
from review_ui.context import desk
from review_ui.roles import ADMIN, ROLES, May, granted, roles_that

blueprint = APIBlueprint("users", __name__, url_prefix="/users", enable_openapi=False)

ROLE_WORDS = {
    "viewer": "looks",
    "physician": "contours, approves, rejects",
    "physicist": "contours, looks after models and peers",
    "admin": "looks after the node: accounts, audit, quarantine",
}


@blueprint.get("/")
def page() -> str:
    """Every account with roles, last login and whether it is active."""
    return _page()


@blueprint.post("/")
def create() -> ResponseReturnValue:
    """Make an account; its one-time password is in the answer and nowhere else."""
    username, password = request.form.get("username", "").strip(), one_time_password()
    who, groups = current_user.username, request.form.getlist("groups")
    try:
        require_groups(current_app, groups)
        create_user(
            current_app,
            username,
            password,
            *require_roles(request.form.getlist("roles")),
            one_time=True,
            welcomed=False,
            who=who,
        )
        if groups:
            set_groups(current_app, username, groups, who=who)
    except AccountError as error:
        return _page(problem=str(error), typed=username), 422
    return _page(told=(username, password))


@blueprint.post("/<username>/password")
def reset_password(username: str) -> ResponseReturnValue:
    """Give an account another one-time password; its sessions end."""
    password = one_time_password()
    try:
        set_password(current_app, username, password, one_time=True, who=current_user.username)
    except AccountError as error:
        return _page(problem=str(error)), 422
    return _page(told=(username, password))


@blueprint.post("/<username>/roles")
def change_roles(username: str) -> ResponseReturnValue:
    """Change what an account may do, from its next request on."""
    try:
        _require_no_blind_auditor(username, request.form.getlist("roles"))
        desk().store.accounts.set_roles(
            username,
            require_roles(request.form.getlist("roles")),
            admin=ADMIN,
            who=current_user.username,
            now=desk().now(),
        )
    except AccountError as error:
        return _page(problem=str(error)), 422
    return redirect(url_for("users.page"), code=303)


@blueprint.post("/<username>/groups")
def change_groups(username: str) -> ResponseReturnValue:
    """Change whose cases an account sees, from its next request on."""
    try:
        groups = request.form.getlist("groups")
        set_groups(current_app, username, groups, who=current_user.username)
    except AccountError as error:
        return _page(problem=str(error)), 422
    return redirect(url_for("users.page"), code=303)


@blueprint.post("/<username>/second-factor")
def reset_second_factor(username: str) -> ResponseReturnValue:
    """Take the second factor off an account whose authenticator is gone; its sessions end."""
    room = desk()
    second_factor.reset(room.store, username, who=current_user.username, now=room.now())
    return redirect(url_for("users.page"), code=303)


@blueprint.post("/<username>/active")
def change_active(username: str) -> ResponseReturnValue:
    """Keep an account out (`active` is not "yes"), or let it in again."""
    try:
        desk().store.accounts.set_active(
            username,
            active=request.form.get("active") == "yes",
            admin=ADMIN,
            who=current_user.username,
            now=desk().now(),
        )
    except AccountError as error:
        return _page(problem=str(error)), 422
    return redirect(url_for("users.page"), code=303)


def _require_no_blind_auditor(username: str, roles: list[str]) -> None:
    """Raise `AccountError` where the audit would be closed to an account that gets it."""
    if May.AUDIT in granted(roles) and desk().store.observations.unsigned_of(username):
        raise AccountError(
            f"{username!r} contours as a second observer, and the audit tells of every case. Wait "
            "until the contour is signed, or withdraw the observation on the page of the case's "
            "figures."
        )


def _page(*, problem: str = "", typed: str = "", told: tuple[str, str] | None = None) -> str:
    room = desk()
    members = room.store.groups.of_all()
    known = room.store.groups.of_cases().union(room.settings.groups())
    return render_template(
        "users.html",
        accounts=room.store.accounts.all(),
        groups=sorted(known.union(*members.values())),
        members=members,
        second_factor=room.store.factors.on(),
        everything=roles_that(May.EVERY_CASE),
        roles=[(name, ROLE_WORDS[name]) for name in ROLES],
        problem=problem,
        typed=typed,
        told=told,
    )
