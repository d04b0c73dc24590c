"""What becomes of a review besides an approval: taken back, rejected, passed on, re-opened."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import abort

from review_ui.api import next_case, require_reviewable, role_names, user_name
from review_ui.context import desk
from review_ui.facts import case_facts
from review_ui.groups import who_sees
from review_ui.roles import May, granted, roles_that
from review_ui.schemas import PassOnBody, RejectBody, ReopenBody, TakeBackBody, TurnBody

blueprint = APIBlueprint("flow", __name__, url_prefix="/api")


@blueprint.post("/cases/<case_id>/take-back")
@blueprint.input(TakeBackBody, location="json")
def take_back(case_id: str, json_data: TakeBackBody) -> dict[str, Any]:
    """Undo an approval that is still held; the case is in review again, in this tab."""
    room = desk()
    current = room.store.flow.take_back(
        room.case(case_id).id,
        json_data.roi,
        who=user_name(),
        tab=json_data.tab,
        now=room.now(),
        lock_s=room.settings.review.lock_s,
    )
    return {"state": str(current.state)}


@blueprint.post("/cases/<case_id>/reject")
@blueprint.input(RejectBody, location="json")
def reject(case_id: str, json_data: RejectBody) -> dict[str, Any]:
    """Close the case without a structure set, and say why; names the next case."""
    room = desk()
    require_reviewable(room.case(case_id))
    room.store.flow.reject(
        case_id,
        json_data.roi,
        who=user_name(),
        tab=json_data.tab,
        reason=json_data.reason,
        now=room.now(),
    )
    return {"state": str(room.case(case_id).state), "next": next_case(room)}


@blueprint.post("/cases/<case_id>/pass-on")
@blueprint.input(PassOnBody, location="json")
def pass_on(case_id: str, json_data: PassOnBody) -> dict[str, Any]:
    """Give the case, as it stands, to another account that may contour; names the next case."""
    room = desk()
    require_reviewable(room.case(case_id))
    if json_data.to not in _colleagues(case_id):
        abort(422, "Only another account that may contour can get a case. Choose one of the list.")
    room.store.flow.pass_on(
        case_id, who=user_name(), tab=json_data.tab, to=json_data.to, now=room.now()
    )
    return {"assigned_to": json_data.to, "next": next_case(room)}


@blueprint.post("/cases/<case_id>/reopen")
@blueprint.input(ReopenBody, location="json")
def reopen(case_id: str, json_data: ReopenBody) -> dict[str, Any]:
    """Take up again what was delivered or rejected; the next approval is a new version."""
    room = desk()
    current = room.case(case_id)
    opened = room.store.flow.reopen(
        current.id, json_data.roi, who=user_name(), reason=json_data.reason, now=room.now()
    )
    return case_facts(room, opened, user=user_name(), may=granted(role_names()))


@blueprint.post("/cases/<case_id>/turn")
@blueprint.input(TurnBody, location="json")
def turn(case_id: str, json_data: TurnBody) -> dict[str, Any]:
    """Review another structure of the case; what was done on the present one stays."""
    room = desk()
    current = room.case(case_id)
    turned = room.store.turns.turn(current.id, json_data.roi, who=user_name(), now=room.now())
    return case_facts(room, turned, user=user_name(), may=granted(role_names()))


@blueprint.get("/cases/<case_id>/colleagues")
def colleagues(case_id: str) -> dict[str, Any]:
    """Other accounts that the case can be passed on to."""
    return {"colleagues": _colleagues(case_id)}


def _colleagues(case_id: str) -> list[str]:
    room = desk()
    who_may = room.store.accounts.names_with(roles_that(May.CONTOUR))
    others = [name for name in who_may if name != user_name()]
    return who_sees(room, case_id, others)
