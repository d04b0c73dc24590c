"""The figures of one case, to read or to print: contours, how they agree, how long they took."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user

from core.records import MANUAL, Case, Correction, Observation
from review_ui.access import CLOSED
from review_ui.agreement import agreement_of, contour_of
from review_ui.context import Desk, desk
from review_ui.differences import differences_of
from review_ui.doses import primary_in_words
from review_ui.facts import patient_of
from review_ui.memory import shown_prediction
from review_ui.observations import may_observe
from review_ui.words import ARM_WORDS, duration_in_words, readable_date, state_in_words
from review_ui.work import sees_times_of_others

blueprint = APIBlueprint("figures", __name__, enable_openapi=False)


@blueprint.get("/cases/<case_id>/figures")
def page(case_id: str) -> str:
    """What is known of a case in figures."""
    room = desk()
    current = room.case(case_id)
    instances = room.store.instances.counts_by_series([current.series_instance_uid])
    return render_template(
        "figures.html",
        case=current,
        patient=patient_of(current),
        study_date=readable_date(current.study_date),
        roi=room.roi_of(current),
        words=state_in_words(
            current,
            instances=instances.get(current.series_instance_uid, 0),
            has_model=room.store.learning.released(room.roi_of(current)) is not None,
        ),
        arm_words=ARM_WORDS[current.arm],
        other_arm="assisted" if current.arm == MANUAL else "manual",
        dose=primary_in_words(room, case_id),
        differences=differences_of(room, current, _approved(room, current)),
        checks=room.store.self_checks.newest(case_id),
        work=[
            {"who": w.who, "arm": ARM_WORDS[w.arm], "took": duration_in_words(w.seconds)}
            for w in room.store.timing.work_on(case_id)
            if w.who == current_user.username or sees_times_of_others()
        ],
        observers=_observers(room, current),
        colleagues=may_observe(room, case_id),
        **_contours(room, current),
    )


@blueprint.post("/cases/<case_id>/arm")
def choose_arm(case_id: str) -> ResponseReturnValue:
    """Put a case that nobody has opened into an arm."""
    room = desk()
    arm = request.form.get("arm", "")
    room.store.arms.assign(case_id, arm, who=current_user.username, now=room.now())
    return redirect(url_for("figures.page", case_id=case_id), code=303)


def _contours(room: Desk, current: Case) -> dict[str, Any]:
    """Each contour with its figures, and how far the proposed and the approved one agree."""
    if current.geometry is None:
        return {"contours": [], "agreement": None}
    approved = _approved(room, current)
    proposed, called = _proposed(room, current, approved)
    names = [(called, f"prediction-{proposed}")] if proposed else []
    if approved is not None:
        words = f"approved by {approved.approved_by}"
        names.append((words, f"correction-{approved.id}"))
    contours = [{"words": words, **_row(room, current, name)} for words, name in names]
    both = [name for _, name in names]
    agreement = agreement_of(room, current, both[0], both[1]) if len(both) == 2 else None
    return {"contours": contours, "agreement": agreement}


def _observers(room: Desk, current: Case) -> list[dict[str, Any]]:
    """Second observers, and how far their contour and the approved one agree once both are done."""
    approved = _approved(room, current)
    return [
        {
            "id": found.id,
            "who": found.observer,
            "waits": found.signed_at is None and found.withdrawn_at is None,
            "agreement": agreement_of(
                room, current, f"correction-{approved.id}", f"observation-{found.id}"
            )
            if approved and found.signed_at and _of_the_same(found, approved)
            else None,
            "words": _stands(found),
        }
        for found in room.store.observations.of_case(current.id)
    ]


def _of_the_same(found: Observation, approved: Correction) -> bool:
    """Whether both contours are of one structure on one volume."""
    return (found.assembly, found.roi_name) == (approved.assembly, approved.roi_name)


def _stands(found: Observation) -> str:
    if found.signed_at:
        return "signed; compared once the case is approved"
    return "withdrawn" if found.withdrawn_at else "asked"


def _approved(room: Desk, current: Case) -> Correction | None:
    if current.state not in CLOSED:
        return None
    return room.store.reviews.correction_of(current.id, room.roi_of(current))


def _proposed(room: Desk, current: Case, approved: Correction | None) -> tuple[str | None, str]:
    """Id of what was proposed, and in words; what nobody was shown only once it was approved."""
    shown = shown_prediction(room.store, current, room.roi_of(current))
    if shown is not None:
        return shown.id, f"proposed by model {shown.model_version[:8]}"
    if current.arm != MANUAL or approved is None:
        return None, ""
    kept = room.store.arms.kept_from(approved)
    if kept is None:
        return None, ""
    return kept.id, f"proposed by model {kept.model_version[:8]}, not shown"


def _row(room: Desk, current: Case, name: str) -> dict[str, Any]:
    found = contour_of(room, current, name)
    return {
        "volume_cc": found.volume_cc,
        "mean_gy": found.mean_gy,
        "coverage": found.coverage,
    }
