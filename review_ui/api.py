"""A review, told by the browser as it happens: lock, journal, figures, interactions, approval."""

from __future__ import annotations

from typing import Any, cast

from apiflask import APIBlueprint
from flask import Response
from flask_security import current_user
from flask_wtf.csrf import generate_csrf

from core.approval import Approval, approve
from core.errors import CaseLockedError, JournalConflictError, NoRuleError
from core.journal import decode_parts
from core.records import Case, JournalEntry
from core.rules import is_imported
from review_ui.access import REVIEWABLE
from review_ui.context import Desk, desk
from review_ui.errors import error_response
from review_ui.facts import case_facts, flags_now
from review_ui.groups import my_sight
from review_ui.live_dose import live_figures
from review_ui.roles import granted
from review_ui.schemas import ApproveBody, EventsBody, JournalBody, OpenBody, TabBody

blueprint = APIBlueprint("api", __name__, url_prefix="/api")


@blueprint.get("/session")
def session_facts() -> dict[str, Any]:
    """Who is logged in, and the token that every POST must carry as X-CSRFToken."""
    return {
        "user": user_name(),
        "roles": role_names(),
        "csrf_token": generate_csrf(),
    }


@blueprint.get("/cases/<case_id>")
def facts(case_id: str) -> dict[str, Any]:
    """What the review page must know of a case."""
    room = desk()
    return case_facts(room, room.case(case_id), user=user_name(), may=granted(role_names()))


@blueprint.post("/cases/<case_id>/open")
@blueprint.input(OpenBody, location="json")
def open_case(case_id: str, json_data: OpenBody) -> dict[str, Any]:
    """Take the case; 409 names whose it is, unless `take_over` asks for it all the same."""
    room = desk()
    current = room.case(case_id)
    require_reviewable(current)
    opened = room.store.reviews.open(
        case_id,
        room.roi_of(current),
        who=user_name(),
        tab=json_data.tab,
        now=room.now(),
        lock_s=room.settings.review.lock_s,
        take_over=json_data.take_over,
    )
    return case_facts(room, opened, user=user_name(), may=granted(role_names()))


@blueprint.post("/cases/<case_id>/renew")
@blueprint.input(TabBody, location="json")
def renew(case_id: str, json_data: TabBody) -> dict[str, Any]:
    """Say that this tab still has the case, and hear what came for it; 409 when it has not."""
    room = desk()
    current = room.case(case_id)
    require_reviewable(current)
    room.store.reviews.renew(
        case_id,
        who=user_name(),
        tab=json_data.tab,
        now=room.now(),
        lock_s=room.settings.review.lock_s,
    )
    return {"flags": flags_now(room, current)}


@blueprint.post("/cases/<case_id>/release")
@blueprint.input(TabBody, location="json")
def release(case_id: str, json_data: TabBody) -> dict[str, Any]:
    """Give the case back."""
    room = desk()
    room.store.reviews.release(room.case(case_id).id, who=user_name(), tab=json_data.tab)
    return {"released": True}


@blueprint.get("/cases/<case_id>/journal")
def journal(case_id: str) -> list[dict[str, Any]]:
    """Every entry in order, for the page to replay."""
    room = desk()
    kept = room.store.reviews.entries(case_id, room.roi_of(room.case(case_id)))
    return [{"seq": e.seq, "kind": e.kind, **e.payload} for e in kept]


@blueprint.post("/cases/<case_id>/journal")
@blueprint.input(JournalBody, location="json")
def add_entry(case_id: str, json_data: JournalBody) -> dict[str, Any] | Response:
    """Keep the next entry, on disk when the answer comes; the same twice counts once."""
    room = desk()
    current = room.case(case_id)
    require_reviewable(current)
    entry = JournalEntry(json_data.seq, json_data.kind, json_data.payload())
    roi_name = room.roi_of(current)
    try:
        _require_replayable(room, current, entry)
        room.store.reviews.append(
            case_id, roi_name, entry, who=user_name(), tab=json_data.tab, now=room.now()
        )
    except JournalConflictError as error:
        expected = room.store.reviews.last_seq(case_id, roi_name) + 1
        return error_response(409, "conflict", str(error), expected_seq=expected)
    return {"seq": entry.seq}


@blueprint.get("/cases/<case_id>/figures")
def figures(case_id: str) -> dict[str, Any]:
    """Volume and mean dose of prediction and correction as the journal stands."""
    room = desk()
    return live_figures(room, room.case(case_id))


@blueprint.post("/cases/<case_id>/events")
@blueprint.input(EventsBody, location="json")
def events(case_id: str, json_data: EventsBody) -> dict[str, Any]:
    """Keep what the reviewer did, and say how long the structure has taken this person so far."""
    room = desk()
    current = room.case(case_id)
    timing, who, roi_name = room.store.timing, user_name(), room.roi_of(current)
    kept = timing.add(current.id, roi_name, json_data.as_done(), who=who, arm=current.arm)
    spent_s = timing.spent_s(current.id, roi_name, who=who, arm=current.arm)
    return {"kept": kept, "spent_s": spent_s}


@blueprint.post("/cases/<case_id>/approve")
@blueprint.input(ApproveBody, location="json")
def approve_case(case_id: str, json_data: ApproveBody) -> dict[str, Any]:
    """Approve what the page shows, if the node's own replay comes to the same voxels."""
    room = desk()
    current = room.case(case_id)
    require_reviewable(current)
    said = Approval(
        who=user_name(),
        tab=json_data.tab,
        seq=json_data.seq,
        voxels=json_data.voxels,
        crc32=json_data.crc32,
        slices_seen=tuple(json_data.slices_seen),
    )
    destinations = room.destinations(current)
    if is_imported(current):
        raise NoRuleError(
            "This case was imported to be learned from, and goes nowhere; nothing was approved. "
            "Push its CT from the TPS: then a rule decides on it."
        )
    if not destinations:
        raise NoRuleError(
            "No rule says where the structure set of this case goes; nothing was approved. Add a "
            "rule that fits it to config.yaml, restart the node, and approve again."
        )
    roi_name = room.roi_of(current)
    approve(
        room.store,
        current,
        roi_name,
        said,
        destinations=destinations,
        now=room.now(),
        hold_s=room.settings.review.hold_s,
    )
    return {"state": str(room.case(case_id).state), "next": next_case(room)}


def require_reviewable(current: Case) -> None:
    """Raise `CaseLockedError` unless the case is in a state in which it may be changed."""
    if current.state not in REVIEWABLE or current.geometry is None:
        raise CaseLockedError(f"The case is {current.state}, it cannot be changed now.")


def _require_replayable(room: Desk, current: Case, entry: JournalEntry) -> None:
    """Refuse an entry that could not be replayed; kept, it would spoil the whole journal."""
    remembered = room.memory.recall(current)
    if entry.kind == "stroke":
        runs, removes = entry.payload["runs"], entry.payload.get("removes", "")
        decode_parts(runs, removes, size=remembered.layer.values.size)
        return
    with remembered.lock:
        layer = room.memory.layer_of(current, remembered)
        possible = layer.can_undo if entry.kind == "undo" else layer.can_redo
        if entry.seq == layer.last_seq + 1 and not possible:
            raise JournalConflictError(f"There is nothing to {entry.kind}. Reload the page.")


def next_case(room: Desk) -> str | None:
    """The case to review next."""
    return room.store.worklist.next_waiting(who=user_name(), now=room.now(), sight=my_sight())


def user_name() -> str:
    """Who asks."""
    return cast(str, current_user.username)


def role_names() -> list[str]:
    """Names of the roles of who asks."""
    return [role.name for role in current_user.roles]
