"""Every delivery, where it stands, and the button that sends again what failed."""

from __future__ import annotations

from datetime import datetime
from math import ceil
from typing import Any, get_args

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from core.errors import TransitionError
from core.outbox_store import DeliveryState, Shipment
from review_ui.context import desk
from review_ui.groups import my_sight
from review_ui.words import readable_name

blueprint = APIBlueprint("deliveries", __name__, url_prefix="/deliveries", enable_openapi=False)


@blueprint.get("/")
def page() -> str:
    """One page of the deliveries, newest first; `?state=` and `?page=`."""
    room, asked = desk(), request.args.get("state", "")
    state = next((name for name in get_args(DeliveryState) if name == asked), None)
    now = room.now()
    page = request.args.get("page", 1, type=int)
    found = room.store.outbox.page(state=state, page=page, now=now, sight=my_sight())
    return render_template(
        "deliveries.html",
        rows=[_described(row, now) for row in found.rows],
        found=found,
        total=sum(found.counts.values()),
        state=state,
        states=get_args(DeliveryState),
        destinations=sorted({name for r in room.settings.rules for name in r.destinations}),
    )


@blueprint.post("/<delivery_id>/send-again")
def send_again(delivery_id: str) -> ResponseReturnValue:
    """Try again at once what failed, was stopped, or was not committed."""
    store, who, now = desk().store, current_user.username, desk().now()
    if not (
        store.deliveries.retry(delivery_id, who=who, now=now)
        or store.asked.send_again(delivery_id, who=who, now=now)
    ):
        raise TransitionError(
            "There is nothing to send again: the structure set has arrived, waits for its first "
            "try, was replaced, or its approval was undone. Go back and reload the page."
        )
    form = request.form
    back = url_for("deliveries.page", state=form.get("state") or None, page=form.get("page"))
    return redirect(back, code=303)


def _described(row: Shipment, now: datetime) -> dict[str, Any]:
    return {
        "id": row.id,
        "case_id": row.case_id,
        "patient": readable_name(row.patient_name) or row.patient_id or "Unnamed patient",
        "roi": row.roi_name,
        "destination": row.destination,
        "state": row.state,
        "attempts": row.attempts,
        "next": _next_try(row, now),
        "answer": _answer(row),
        "at": row.created_at,
        "sent_at": row.sent_at,
    }


def _next_try(row: Shipment, now: datetime) -> str:
    if row.state == "replaced":
        return ""
    if row.next_try_at is None:
        return "not by itself" if row.state == "failed" else ""
    if row.next_try_at <= now:
        return "now"
    left_s = ceil((row.next_try_at - now).total_seconds())
    return f"in {left_s} s" if left_s < 120 else f"in {round(left_s / 60)} min"


def _answer(row: Shipment) -> str:
    if row.state == "replaced":
        return "Not sent any more: it was opened again."
    if row.answer:
        return row.answer
    if row.state == "committed":
        return "Accepted; the destination answers for keeping it."
    if row.state == "delivered":
        return "Accepted."
    if row.state == "undone":
        return "Nothing left the node."
    return "Nothing was heard yet."
