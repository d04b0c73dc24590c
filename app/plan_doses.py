"""Doses and plans that come for a case: kept apart by what they are the dose of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from app.reading import keep_dose, keep_sum, plan_of
from app.room import Room
from core.dose_store import BEAM_DOSE, BEAM_WAITS, DOSE_PART, PLAN_KIND, WHOLE_DOSE, JoinedDose
from core.errors import DamagedObjectError, GeometryMismatchError, UnreadableObjectError
from core.plans import BEAM, MULTI_PLAN, PLAN, BeamKey, DoseOrigin, Plan
from core.records import Case, Instance

log = structlog.get_logger()

_WHOLE = frozenset({PLAN, MULTI_PLAN})
_PARTS = frozenset({"FRACTION", "FRACTION_SESSION", "BEAM_SESSION", "BRACHY", "BRACHY_SESSION"})

Joined = tuple[str, str, dict[str, Any]]
"""Kind, note and detail of an attachment."""


def join_plan(room: Room, found: Instance) -> Joined:
    """Read a plan."""
    return PLAN_KIND, "", plan_of(room, found).to_json()


def join_dose(room: Room, current: Case, found: Instance) -> Joined:
    """Keep a dose grid as what it says it is: a plan's, a part's, or beams' (PS3.3 C.8.8.3).

    Raises `UnreadableObjectError` for a dose that is of no use to a mean dose.
    """
    dose = keep_dose(room, current, found)
    # The DVHs of a beam are of that beam alone: once it is part of a sum they say nothing of it.
    said = None if dose.dvhs is None else dose.dvhs.to_json()
    detail = {**dose.origin.to_json(), "dvhs": said}
    kind = dose.origin.summation_type
    if kind == BEAM and dose.origin.plan_uids and dose.origin.beams:
        return BEAM_DOSE, BEAM_WAITS, detail
    if 1 in dose.shape and kind in _WHOLE | _PARTS:
        return DOSE_PART, _ONE_PLANE, detail
    if kind in _WHOLE:
        return WHOLE_DOSE, "", detail
    if kind in _PARTS:
        note = f"Dose Summation Type (3004,000A) is {kind}; its figures are shown, and never taken "
        return DOSE_PART, note + "for those of the whole plan.", detail
    which = " without the beams it was computed for" if kind == BEAM else ""
    raise UnreadableObjectError(
        f"Dose Summation Type (3004,000A) is {kind!r}{which}; only the dose of a whole PLAN is "
        "used. Export the plan dose."
    )


_ONE_PLANE = (
    "The dose is a single plane; its figures are shown, and never taken for those of the whole "
    "plan."
)


def sums_due(room: Room) -> list[tuple[Case, str, int]]:
    """(case, plan UID, newest dose) where the beams of a plan can be summed, or never will be."""
    due = []
    for case_id in room.store.doses.cases_with_waiting_beams():
        for plan in room.store.doses.plans(case_id):
            beams, obstacle = _waiting(room, case_id, plan)
            if beams and (obstacle or _beams_of(beams) == plan.treatment_beams()):
                newest = max(dose.instance_id for dose in beams)
                due.append((room.store.cases.get(case_id), plan.sop_instance_uid, newest))
    return due


def sum_beams(room: Room, case_id: str, plan_uid: str) -> None:
    """Make the doses of a plan's beams the dose of the plan, or say at each why not.

    Doing it twice is the same as once.
    """
    current = room.store.cases.get(case_id)
    for plan in room.store.doses.plans(case_id):
        if plan.sop_instance_uid != plan_uid:
            continue
        beams, obstacle = _waiting(room, case_id, plan)
        if beams and obstacle is None and _beams_of(beams) == plan.treatment_beams():
            obstacle = _sum(room, current, plan, beams)
        if beams and obstacle is not None:
            room.store.doses.note(case_id, [dose.instance_id for dose in beams], obstacle)


def _waiting(room: Room, case_id: str, plan: Plan) -> tuple[list[JoinedDose], str | None]:
    """The doses of beams of the plan, if one of them waits, and why they will not be summed."""
    joined = room.store.doses.joined(case_id)
    mine = [d for d in joined if d.origin and d.origin.plan_uids == (plan.sop_instance_uid,)]
    beams = [dose for dose in mine if dose.kind == BEAM_DOSE]
    waiting = [dose for dose in beams if dose.waits]
    if waiting and any(dose.kind == WHOLE_DOSE for dose in mine):
        return waiting, (
            f"Plan {plan.label} has its dose; a dose of beams beside it is not added. If the plan "
            "was computed anew, export its plan dose."
        )
    return (beams, _obstacle(plan, beams)) if waiting else ([], None)


def _beams_of(doses: Sequence[JoinedDose]) -> frozenset[BeamKey]:
    return frozenset(beam for dose in doses if dose.origin for beam in dose.origin.beams)


def _obstacle(plan: Plan, doses: Sequence[JoinedDose]) -> str | None:
    """Why the doses of these beams will never make the dose of the plan; None where they may."""
    origins = [dose.origin for dose in doses if dose.origin]
    found = [beam for origin in origins for beam in origin.beams]
    twice = sorted({beam for beam in found if found.count(beam) > 1})
    strange = sorted(set(found) - plan.treatment_beams())
    if twice:
        return (
            f"Beam {twice[0][1]} of plan {plan.label} has more than one dose; expected one, so "
            "the beams were not summed. Export the plan dose."
        )
    if strange:
        return (
            f"A dose is of beam {strange[0][1]}, with which plan {plan.label} does not treat; the "
            "beams were not summed. Export plan and doses together, or the plan dose."
        )
    if plan.has_brachytherapy():
        return (
            f"Plan {plan.label} has brachytherapy besides its beams, so that their sum is not its "
            "dose. Export the plan dose."
        )
    if len({origin.dose_type for origin in origins}) > 1:
        return (
            f"The beam doses of plan {plan.label} are of different Dose Type (3004,0004); expected "
            "one, so the beams were not summed. Export the plan dose."
        )
    return None


def _sum(room: Room, current: Case, plan: Plan, beams: Sequence[JoinedDose]) -> str | None:
    """Keep the sum; or why there is none, which is in the grids."""
    members = [dose.instance_id for dose in beams]
    origins = [dose.origin for dose in beams if dose.origin]
    try:
        keep_sum(room, current, [room.store.instances.get(member) for member in members])
    except (DamagedObjectError, GeometryMismatchError) as error:
        return str(error)
    origin = DoseOrigin(
        summation_type=PLAN,
        dose_type=origins[0].dose_type,
        plan_uids=(plan.sop_instance_uid,),
        beams=tuple(beam for each in origins for beam in each.beams),
        instance_uids=tuple(uid for each in origins for uid in each.instance_uids),
    )
    if room.store.doses.summed(current, members, origin):
        log.info("dose.summed", case=current.id, beams=len(members))
    return None
