"""The page of a second observer: the CT of a case and one's own contour on it, and nothing else.

The routes are those of a review under another address, so the page is the same one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from apiflask import APIBlueprint
from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import CaseLockedError, EmptyStructureError, JournalConflictError, TransitionError
from core.geometry import VolumeGeometry
from core.journal import CorrectionLayer, decode_parts, mask_crc32
from core.records import OBSERVER, Case, JournalEntry, Observation
from review_ui.api import user_name
from review_ui.context import Desk, desk
from review_ui.errors import error_response
from review_ui.facts import patient_of, scan_facts
from review_ui.groups import who_sees
from review_ui.roles import May, roles_that
from review_ui.schemas import ApproveBody, EventsBody, JournalBody, OpenBody, TabBody
from review_ui.volumes import ct_stream
from review_ui.words import readable_date

blueprint = APIBlueprint("observations", __name__)

NOT_SHOWN = "Dose is not shown to a second observer."


@blueprint.post("/cases/<case_id>/observers")
def ask_observer(case_id: str) -> ResponseReturnValue:
    """Ask an account that may contour to do so independently."""
    room = desk()
    current = room.case(case_id)
    observer = request.form.get("observer", "")
    if observer not in may_observe(room, case_id):
        raise TransitionError(
            "Only an account that may contour, and may not read the audit, can observe: the audit "
            "tells of every case. Choose another."
        )
    room.store.observations.assign(
        case_id, room.roi_of(current), observer, who=user_name(), now=room.now()
    )
    return redirect(url_for("figures.page", case_id=case_id), code=303)


@blueprint.post("/observations/<observation_id>/withdraw")
def withdraw(observation_id: str) -> ResponseReturnValue:
    """Ask for a contour no more; the case is shown to its observer again."""
    room = desk()
    found = room.store.observations.withdraw(observation_id, who=user_name(), now=room.now())
    return redirect(url_for("figures.page", case_id=found.case_id), code=303)


@blueprint.get("/observations/<observation_id>")
def page(observation_id: str) -> str:
    """The page on which a second observer contours."""
    room, found, current = _mine(observation_id)
    facts = facts_of(room, found, current)
    return render_template(
        "review.html",
        case=current,
        observation=found,
        facts=facts,
        patient=patient_of(current),
        study_date=readable_date(current.study_date),
        roi=found.roi_name,
        returned=[],
    )


@blueprint.get("/api/observations/<observation_id>")
def facts(observation_id: str) -> dict[str, Any]:
    """What the page must know; the same keys as of a case."""
    return facts_of(*_mine(observation_id))


@blueprint.post("/api/observations/<observation_id>/open")
@blueprint.input(OpenBody, location="json")
def open_observation(observation_id: str, json_data: OpenBody) -> dict[str, Any]:
    """Go on with it in this tab."""
    room, found, current = _mine(observation_id)
    taken = room.store.observations.take(observation_id, who=found.observer, tab=json_data.tab)
    return facts_of(room, taken, current)


@blueprint.post("/api/observations/<observation_id>/renew")
@blueprint.input(TabBody, location="json")
def renew(observation_id: str, json_data: TabBody) -> dict[str, Any]:
    """Hear whether this tab still has it; 409 when it has not."""
    _, found, _ = _mine(observation_id)
    if found.tab != json_data.tab:
        raise CaseLockedError("You went on with this case in another tab.")
    return {"flags": []}


@blueprint.post("/api/observations/<observation_id>/release")
@blueprint.input(TabBody, location="json")
def release(observation_id: str, json_data: TabBody) -> dict[str, Any]:
    """Nobody else waits for it: there is nothing to give back."""
    _mine(observation_id)
    return {"released": bool(json_data.tab)}


@blueprint.get("/api/observations/<observation_id>/journal")
def journal(observation_id: str) -> list[dict[str, Any]]:
    """Every entry in order, for the page to replay."""
    room, found, _ = _mine(observation_id)
    kept = room.store.observations.entries(found.id)
    return [{"seq": e.seq, "kind": e.kind, **e.payload} for e in kept]


@blueprint.post("/api/observations/<observation_id>/journal")
@blueprint.input(JournalBody, location="json")
def add_entry(observation_id: str, json_data: JournalBody) -> dict[str, Any] | Response:
    """Keep the next entry, on disk when the answer comes; the same twice counts once."""
    room, found, current = _mine(observation_id)
    store = room.store.observations
    _require_same_scan(found, current)
    entry = JournalEntry(json_data.seq, json_data.kind, json_data.payload())
    try:
        if entry.kind == "stroke":
            size = int(np.prod(_geometry(current).shape))
            decode_parts(entry.payload["runs"], entry.payload.get("removes", ""), size=size)
        else:
            _require_step_to(entry.kind, store.entries(found.id)[: entry.seq - 1])
        store.append(found.id, entry, who=found.observer, tab=json_data.tab, now=room.now())
    except JournalConflictError as error:
        expected = len(store.entries(found.id)) + 1
        return error_response(409, "conflict", str(error), expected_seq=expected)
    return {"seq": entry.seq}


@blueprint.get("/api/observations/<observation_id>/ct")
def ct(observation_id: str) -> Response:
    """The CT, as of a case."""
    room, _, current = _mine(observation_id)
    return ct_stream(room, current)


@blueprint.get("/api/observations/<observation_id>/layers")
def layers(observation_id: str) -> dict[str, Any]:
    """None."""
    _mine(observation_id)
    return {"dose": None, "uncertainty": False, "reference": False}


@blueprint.get("/api/observations/<observation_id>/figures")
def figures(observation_id: str) -> dict[str, Any]:
    """None; the keys are those of a case."""
    _, found, _ = _mine(observation_id)
    return {
        "roi": found.roi_name,
        "prediction": None,
        "correction": None,
        "difference_gy": None,
        "expected_error_gy": None,
        "note": NOT_SHOWN,
        "dose": "",
        "dose_id": None,
        "other_doses": [],
    }


@blueprint.post("/api/observations/<observation_id>/events")
@blueprint.input(EventsBody, location="json")
def events(observation_id: str, json_data: EventsBody) -> dict[str, Any]:
    """Keep what the observer did, and say how long the case has taken so far."""
    room, found, current = _mine(observation_id)
    timing, who = room.store.timing, found.observer
    kept = timing.add(current.id, found.roi_name, json_data.as_done(), who=who, arm=OBSERVER)
    spent_s = timing.spent_s(current.id, found.roi_name, who=who, arm=OBSERVER)
    return {"kept": kept, "spent_s": spent_s}


@blueprint.post("/api/observations/<observation_id>/approve")
@blueprint.input(ApproveBody, location="json")
def sign(observation_id: str, json_data: ApproveBody) -> dict[str, Any]:
    """Sign what the page shows, if the node's own replay comes to the same voxels."""
    room, found, current = _mine(observation_id)
    store = room.store.observations
    _require_same_scan(found, current)
    layer = CorrectionLayer(_geometry(current).shape).apply_all(store.entries(found.id))
    mask = layer.corrected(None)
    if not mask.any():
        raise EmptyStructureError(f"{found.roi_name} has no voxels. Contour it, then sign.")
    if (int(mask.sum()), mask_crc32(mask)) != (json_data.voxels, json_data.crc32):
        raise JournalConflictError(
            "The page and the node do not hold the same contour; nothing was signed. Reload the "
            "page and look again."
        )
    if found.signed_at is not None:
        raise CaseLockedError("You have signed this contour already.")
    digest = room.store.files.write_mask(current.id, f"observation-{found.id}", mask)
    store.sign(
        found.id,
        who=found.observer,
        tab=json_data.tab,
        seq=json_data.seq,
        digest=digest,
        now=room.now(),
    )
    return {"state": "SIGNED", "next": None}


def may_observe(room: Desk, case_id: str) -> list[str]:
    """Accounts that can be asked: who looks after the audit needs it at any time."""
    accounts = room.store.accounts
    readers = accounts.names_with(roles_that(May.AUDIT))
    others = [name for name in accounts.names_with(roles_that(May.CONTOUR)) if name not in readers]
    return who_sees(room, case_id, others)


def facts_of(room: Desk, found: Observation, current: Case) -> dict[str, Any]:
    """What a second observer may know of a case: whose it is, and where its voxels are."""
    geometry = _geometry(current)
    slices, rows, columns = geometry.shape
    signed = found.signed_at is not None
    look = {"mode": "look", "why": "You have signed this contour.", "offer": ""}
    return {
        "id": found.id,
        "state": "SIGNED" if signed else "IN_REVIEW",
        "state_words": "signed" if signed else "second observer",
        "arm": OBSERVER,
        "reason": "",
        "flags": [],
        **scan_facts(room, current, geometry, roi_name=found.roi_name, user=found.observer),
        "findings": list(current.findings),
        # The middle of the scan: where somebody's contour lies would tell of it.
        "start": [columns // 2, rows // 2, slices // 2],
        "prediction": None,
        "dose": False,
        "journal": {"seq": len(room.store.observations.entries(found.id))},
        "lock": {"mine": not signed, "holder": None},
        "editable": not signed,
        "destinations": [],
        "hold_s": 0,
        "access": look if signed else {"mode": "edit", "why": "", "offer": ""},
        "assigned_to": None,
        "may_decide": True,
        "may_reopen": False,
        "may_send_again": False,
        "structures": [],
        "may_turn": False,
        "approved": None,
        "replaces": None,
    }


def _mine(observation_id: str) -> tuple[Desk, Observation, Case]:
    room = desk()
    found = room.store.observations.mine(observation_id, who=user_name())
    return room, found, room.case(found.case_id)


def _geometry(current: Case) -> VolumeGeometry:
    if current.geometry is None:
        raise CaseLockedError("The CT of this case is being put together anew. Try again soon.")
    return current.geometry


def _require_same_scan(found: Observation, current: Case) -> None:
    if found.assembly != current.assembly:
        raise CaseLockedError("Slices came late and changed the CT of this case. Reload the page.")


def _require_step_to(kind: str, before: list[JournalEntry]) -> None:
    """Refuse an undo or redo that could not be replayed; kept, it would spoil the journal."""
    done = undone = 0
    for entry in before:
        if entry.kind == "stroke":
            done, undone = done + 1, 0
        else:
            step = 1 if entry.kind == "undo" else -1
            done, undone = done - step, undone + step
    if not (done if kind == "undo" else undone):
        raise JournalConflictError(f"There is nothing to {kind}. Reload the page.")
