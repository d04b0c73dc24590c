"""How learning goes, what is on its way out, and whether the page is alive."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, render_template
from flask_security import current_user

from core.records import RELEASED, Case, ModelVersion, Round
from review_ui import alerts
from review_ui.blind import hidden_from
from review_ui.context import Desk, desk
from review_ui.groups import my_sight
from review_ui.peers import peers_of, without_ct
from review_ui.roles import May, i_may
from review_ui.storage import storage_alarm
from review_ui.words import delivery_in_words, readable_name

blueprint = APIBlueprint("status", __name__)

SHOWN_ROUNDS = 8
SHOWN_DELIVERIES = 20


@blueprint.get("/status")
def page() -> str:
    """The state of the node as a page; its script keeps it current."""
    return render_template("status.html", status=status_of(desk()))


@blueprint.get("/api/status")
def api() -> dict[str, Any]:
    """The same as JSON."""
    return status_of(desk())


@blueprint.get("/healthz")
def healthz() -> Response:
    """Whether the review page answers; for supervisors, without a login."""
    return Response("ok", mimetype="text/plain")


def status_of(room: Desk) -> dict[str, Any]:
    """Models with their validation Dice, rounds, learning set, deliveries."""
    learning = room.store.learning
    released = learning.released(room.roi_name)
    versions = [_version(v) for v in learning.versions(room.roi_name) if v.status == RELEASED]
    rounds = [_round(r) for r in learning.rounds(room.roi_name, newest=SHOWN_ROUNDS)]
    examples = learning.learning_set(room.roi_name)
    hidden = hidden_from(room.store, current_user.username)
    deliveries = room.store.deliveries.newest(SHOWN_DELIVERIES, hidden=hidden, sight=my_sight())
    cases = room.store.worklist.cases(d.case_id for d in deliveries)
    return {
        "roi": room.roi_name,
        "released": None if released is None else _version(released),
        "versions": versions,
        "round": next((r for r in rounds if r["state"] == "RUNNING"), None),
        "rounds": rounds,
        "learning_set": {"train": len(examples.train), "validation": len(examples.validation)},
        "peers": peers_of(room),
        "disk": storage_alarm(room.settings),
        # Of all groups: for who sees every case.
        "quarantined": room.store.quarantine.count() if my_sight() is None else 0,
        "alerts": alerts.shown(room),
        "without_ct": without_ct(room),
        "may_test_peers": i_may(May.NODE),
        "deliveries": [
            {
                "case_id": d.case_id,
                "patient": _patient(cases[d.case_id]),
                "words": delivery_in_words(d, now=room.now()),
                "state": d.state,
                "last_error": d.last_error,
                "created_at": d.created_at.isoformat(),
            }
            for d in deliveries
        ],
    }


def _patient(current: Case) -> str:
    return readable_name(current.patient_name) or current.patient_id or "Unnamed patient"


def _version(found: ModelVersion) -> dict[str, Any]:
    return {
        "version": found.version,
        "validation_dice": found.validation_dice,
        "examples": len(found.training_set),
        "released_at": found.released_at.isoformat(),
    }


def _round(found: Round) -> dict[str, Any]:
    return {
        "id": found.id,
        "state": found.state,
        "step": found.step,
        "steps": found.steps,
        "loss": found.loss,
        "validation_dice": found.validation_dice,
        "verdict": found.verdict,
        "challenger": found.is_challenger,
        "seconds_left": found.figures.get("seconds_left"),
        "curve": found.figures.get("curve"),
        "version": found.version,
        "examples": len(found.corrections),
        "started_at": found.started_at.isoformat(),
        "finished_at": found.finished_at.isoformat() if found.finished_at else None,
    }
