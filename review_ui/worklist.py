"""The worklist: cases, and what each waits for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, get_args

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from core.worklist_store import Asked, Order, Shown
from review_ui.blind import hidden_from
from review_ui.context import Desk, desk
from review_ui.facts import patient_of, worklist_row
from review_ui.groups import my_sight

blueprint = APIBlueprint("worklist", __name__)


@blueprint.get("/")
def page() -> str:
    """The worklist as a page; its script keeps it current."""
    asked = _asked_for()
    room = desk()
    observed = room.store.observations.unsigned_of(current_user.username)
    seen = room.store.worklist.cases((o.case_id for o in observed), sight=my_sight())
    return render_template(
        "worklist.html",
        worklist=worklist_of(room, asked),
        asked=asked,
        observations=[
            {"id": found.id, "patient": patient_of(seen[found.case_id]), "roi": found.roi_name}
            for found in observed
            if found.case_id in seen
        ],
    )


@blueprint.get("/api/worklist")
def api() -> dict[str, Any]:
    """One page of the worklist as JSON: `?q=` number of a search, `order=`, `show=`, `page=`."""
    return worklist_of(desk(), _asked_for())


@blueprint.post("/search")
def search() -> ResponseReturnValue:
    """Search: the form's words become a number, and the address of the worklist has that alone."""
    number = desk().searches.number_of(request.form.get("q", ""), who=current_user.username)
    asked: dict[str, Any] = {name: request.form.get(name) or None for name in ("order", "show")}
    return redirect(url_for("worklist.page", q=number or None, **asked), code=303)


@blueprint.get("/api/next")
def following() -> dict[str, str | None]:
    """The case to review next; with `?after=` the one that follows a case."""
    room = desk()
    found = room.store.worklist.next_waiting(
        who=current_user.username,
        now=room.now(),
        after=request.args.get("after"),
        sight=my_sight(),
    )
    return {"next": found}


def worklist_of(room: Desk, asked: Asked) -> dict[str, Any]:
    """Cases as the worklist shows them, how many there are, and where the node listens."""
    now = room.now()
    summaries, found = room.store.worklist.page(room.roi_name, asked, now=now)
    rois = {summary.roi_name for summary in summaries}
    released = {roi for roi in rois if room.store.learning.released(roi) is not None}
    dicom = room.settings.dicom
    return {
        "cases": [worklist_row(s, has_model=s.roi_name in released, now=now) for s in summaries],
        **asdict(found),
        "listening": {"ae_title": dicom.ae_title, "host": dicom.host, "port": dicom.port},
        "roi": room.roi_name,
    }


def _asked_for() -> Asked:
    """What the address asks for; what it does not know is as if it were not there."""
    args, room = request.args, desk()
    order, shown = args.get("order", ""), args.get("show", "")
    return Asked(
        search=room.searches.words_of(args.get("q", ""), who=current_user.username),
        order=next((name for name in get_args(Order) if name == order), "priority"),
        shown=next((name for name in get_args(Shown) if name == shown), "all"),
        page=args.get("page", 1, type=int),
        hidden=frozenset(hidden_from(room.store, current_user.username)),
        sight=my_sight(),
    )
