"""Models: what is in service and changing that; what waits before it is learned from; cards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint, abort
from flask import jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from core.errors import ModelUnavailableError
from core.model_card import card, shadow_figures, standing_of
from core.model_files import require_whole
from core.model_store import ModelStore
from core.records import IMPORTED, CorrectionCheck, ModelState, ModelVersion, Round
from core.structures import is_drawn
from review_ui.context import Desk, desk
from review_ui.groups import my_sight
from review_ui.roles import May, i_may
from review_ui.words import readable_name

blueprint = APIBlueprint("models", __name__, enable_openapi=False)

SHOWN_VERDICTS = 8
SHOWN_DECISIONS = 10
OPERATIONS: dict[str, Callable[..., Any]] = {
    "pin": ModelStore.pin,
    "unpin": ModelStore.unpin,
    "rollback": ModelStore.roll_back,
    "shadow": ModelStore.run_in_shadow,
    "unshadow": ModelStore.end_shadow,
}


@blueprint.get("/models/")
def page() -> str:
    """Every structure with its versions, verdicts, shadow, and what waits for a second person."""
    room = desk()
    structures = [_structure(room, s.name) for s in room.settings.structures]
    return render_template(
        "models.html",
        structures=structures,
        may_change=i_may(May.MODELS),
        may_decide=i_may(May.DECIDE),
        user=current_user.username,
    )


@blueprint.get("/models/<version>")
def card_page(version: str) -> str:
    """The card of one version."""
    return render_template("model_card.html", card=_card(version))


@blueprint.get("/api/models/<version>")
def card_api(version: str) -> ResponseReturnValue:
    """The same as JSON."""
    return jsonify(_card(version))


@blueprint.post("/models/<version>/<operation>")
def change(version: str, operation: str) -> ResponseReturnValue:
    """Pin, unpin, roll back, run in shadow or end that."""
    if operation not in OPERATIONS:
        abort(404, "There is no such operation.")
    room = desk()
    found = _found(version)
    if operation in {"rollback", "shadow"}:
        require_whole(room.settings.data_folder / "models", found.version)
    OPERATIONS[operation](
        room.store.models, found.version, who=current_user.username, now=room.now()
    )
    return redirect(url_for("models.page"), code=303)


@blueprint.post("/models/corrections/<correction_id>/<decision>")
def decide(correction_id: str, decision: str) -> ResponseReturnValue:
    """Let a suspicious correction be learned from (`release`) or not (`discard`), with a reason."""
    if decision not in {"release", "discard"}:
        abort(404, "There is no such decision.")
    room = desk()
    room.store.checks.decide(
        correction_id,
        let_in=decision == "release",
        who=current_user.username,
        why=request.form.get("why", "")[:500],
        now=room.now(),
    )
    return redirect(url_for("models.page"), code=303)


def _found(version: str) -> ModelVersion:
    try:
        return desk().store.models.find(version)
    except ModelUnavailableError as error:
        abort(404, str(error))


def _card(version: str) -> dict[str, Any]:
    return card(desk().store, _found(version))


def _structure(room: Desk, roi_name: str) -> dict[str, Any]:
    learning, state = room.store.learning, room.store.models.state(roi_name)
    versions = list(reversed(learning.versions(roi_name)))
    released = next((v for v in versions if v.version == state.in_service), None)
    checks = list(reversed(room.store.checks.all(roi_name)))
    seen = room.store.worklist.cases((c.case_id for c in checks), sight=my_sight())
    checks = [c for c in checks if c.case_id in seen]
    rounds = [r for r in learning.rounds(roi_name, newest=SHOWN_VERDICTS) if r.verdict]
    learned = learning.learning_set(roi_name)
    return {
        "roi": roi_name,
        "drawn": is_drawn(roi_name),
        "state": state,
        "released": None if released is None else _version(released, state),
        "waiting": next((v.version for v in versions if v.status == "waits"), None),
        "versions": [_version(v, state) for v in versions],
        "train": len(learned.train),
        "validation": len(learned.validation),
        "verdicts": [_verdict(r) for r in rounds],
        "shadow": _shadow(room, state),
        "held": [_check(room, c) for c in checks if c.suspicions and c.decision is None],
        "decided": [_check(room, c) for c in checks if c.decision][:SHOWN_DECISIONS],
    }


def _version(found: ModelVersion, state: ModelState) -> dict[str, Any]:
    learned = found.detail.get("learned_from", {})
    return {
        "version": found.version,
        "parent": found.parent,
        "standing": standing_of(found, state),
        "status": found.status,
        "never_saw_a_patient": "origin" in found.scores,
        "learned": ", ".join(f"{n} {kind}" for kind, n in learned.items()),
        "dice": found.validation_dice,
        "at": found.released_at.strftime("%Y-%m-%d %H:%M"),
    }


def _verdict(found: Round) -> dict[str, Any]:
    return {
        "sentence": found.verdict,
        "figures": found.figures.get("figures", {}),
        "at": found.started_at.strftime("%Y-%m-%d %H:%M"),
    }


def _shadow(room: Desk, state: ModelState) -> dict[str, Any] | None:
    if state.shadow is None:
        return None
    found = room.store.shadows.of(state.shadow)
    return {"version": state.shadow, **shadow_figures(found)}


def _check(room: Desk, found: CorrectionCheck) -> dict[str, Any]:
    approved, current = room.store.reviews.correction(found.correction_id), room.case(found.case_id)
    return {
        "id": found.correction_id,
        "case_id": found.case_id,
        "patient": readable_name(current.patient_name) or current.patient_id or "Unnamed patient",
        "approved_by": approved.approved_by,
        "imported": approved.origin == IMPORTED,
        "approved_at": approved.approved_at.strftime("%Y-%m-%d %H:%M"),
        "suspicions": found.suspicions,
        "decision": found.decision,
        "decided_by": found.decided_by,
        "why": found.why,
    }
