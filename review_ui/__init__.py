"""The review room: worklist, review page, figures, status, models. Knows only core and dose."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from apiflask import APIFlask
from flask import Flask

from core.config import PeerSettings, Settings
from core.store import Store
from review_ui import (
    account,
    accounts,
    api,
    assets,
    audit,
    border,
    cohort_page,
    deliveries,
    errors,
    figures,
    flow,
    groups,
    keys,
    layers,
    metrics,
    models,
    observations,
    oidc,
    openapi,
    peers,
    quarantine,
    reports,
    review,
    roles,
    security,
    status,
    users,
    volumes,
    work,
    worklist,
)
from review_ui.context import EXTENSION, Desk
from review_ui.memory import CaseMemory
from review_ui.storage import storage_alarm

ROOMS = (
    worklist,
    review,
    api,
    flow,
    volumes,
    layers,
    reports,
    peers,
    quarantine,
    users,
    account,
    keys,
    models,
    status,
    metrics,
    deliveries,
    audit,
    cohort_page,
    work,
    figures,
    observations,
    oidc,
)


def create_app(
    settings: Settings,
    store: Store,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ask_peer: Callable[[PeerSettings], None] | None = None,
) -> APIFlask:
    """The web application over `store`; run it under a WSGI server with threads.

    `now` is the clock that dates locks, entries and approvals. `ask_peer` returns when a peer
    answers C-ECHO and raises `DeliveryError` when it does not.
    """
    app = APIFlask(
        __name__,
        title="Recontour review",
        docs_path=None,
        json_errors=False,
        static_url_path="/static",
        static_folder=None,  # type: ignore[arg-type]  # Flask permits it
    )
    app.config["VALIDATION_ERROR_DESCRIPTION"] = "The request is not right"
    border.install(app)
    security.configure(app, settings)
    app.extensions[EXTENSION] = Desk(
        settings=settings,
        store=store,
        memory=CaseMemory(store, settings.structures[0].name),
        now=now,
        ask_peer=ask_peer,
    )
    session = accounts.install(app, store)
    security.guard(app, session)
    oidc.install(app, settings)
    errors.install(app)
    openapi.install(app)
    for room in ROOMS:
        app.register_blueprint(room.blueprint)
    app.add_template_global(lambda name: roles.i_may(roles.May[name]), "may")
    app.add_template_global(keys.own_keys)
    app.add_template_global(account.tour_is_due)
    app.add_template_global(accounts.must_choose_password)
    app.add_template_global(lambda: storage_alarm(settings), "storage_alarm")
    assets.install(app)
    roles.require_complete(app)
    groups.require_complete(app)
    return app


def make_ready(app: Flask) -> None:
    """Do now what the first reviewer would wait for."""
    app.jinja_env.get_template("review.html")
    assets.modules_of("review.js")
