"""From instances to a case: assemble the CT, join dose and structure sets."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

import structlog

from app.plan_doses import join_dose, join_plan
from app.reading import assemble_series
from app.references import join_structure_set
from app.returning import take_back
from app.room import Room
from core.case import CaseState
from core.errors import (
    GeometryMismatchError,
    IrregularSeriesError,
    NoRuleError,
    RecontourError,
    TransitionError,
)
from core.records import RETURNED, Case, Instance, Routing
from core.rules import route_series, training_alone

log = structlog.get_logger()

REFUSED = "refused"
PAST_ASSEMBLY = frozenset({CaseState.APPROVED, CaseState.DELIVERED, CaseState.REJECTED})
LEFT_ALONE = "left alone: the case is past assembly"


def assemble(
    room: Room, case_id: str, series_instance_uid: str, routing: Routing | None = None
) -> str:
    """Make the case's volume from its series, or write down in one sentence why not.

    The rules are asked unless `routing` is given.
    """
    instances = room.store.instances.of_series(series_instance_uid)
    if room.store.cases.get(case_id).state in PAST_ASSEMBLY:
        return LEFT_ALONE
    try:
        return _assemble(room, case_id, instances, routing)
    except TransitionError:
        return LEFT_ALONE


def _assemble(room: Room, case_id: str, instances: list[Instance], routing: Routing | None) -> str:
    try:
        _require_all_announced(instances)
        assembly = assembly_of(instances)
        geometry, findings = assemble_series(room, case_id, assembly, instances)
        room.store.cases.assembled(
            case_id,
            assembly=assembly,
            instance_count=len(instances),
            geometry=geometry,
            findings=findings,
            routing=routing
            or training_alone(room.store.cases.get(case_id), instances)
            or route_series(room.settings.rules, instances),
            now=room.now(),
            manual_every=room.settings.review.manual_every,
        )
    except TransitionError:
        raise
    except RecontourError as error:
        log.warning("case.not_assembled", case=case_id, reason=str(error))
        room.store.cases.failed(
            case_id, reason=str(error), instance_count=len(instances), now=room.now()
        )
        return str(error)
    log.info("case.assembled", case=case_id, instances=len(instances))
    return "assembled"


def route_now(room: Room, current: Case) -> bool:
    """Give a case that was assembled before there were rules its routing; False if no rule fits."""
    instances = room.store.instances.of_series(current.series_instance_uid)
    try:
        room.store.cases.routed(current.id, route_series(room.settings.rules, instances))
    except NoRuleError as error:
        # Painted or approved it stays as it is: approval asks for a rule, deliveries are queued.
        with contextlib.suppress(TransitionError):
            room.store.cases.failed(
                current.id, reason=str(error), instance_count=len(instances), now=room.now()
            )
        return False
    return True


def _require_all_announced(instances: list[Instance]) -> None:
    announced = max((i.header.expected_count or 0 for i in instances), default=0)
    if len(instances) < announced:
        raise IrregularSeriesError(
            f"{len(instances)} instances of the series came and then no more; the sender "
            f"announced {announced} in Number of Series Related Instances (0020,1209). Send the "
            "rest, and the case assembles by itself."
        )


def assembly_of(instances: list[Instance]) -> str:
    """A name for this very set of instances: changes when a slice is added or differs."""
    lines = sorted(f"{i.header.sop_instance_uid} {i.sha256}" for i in instances)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def attach(room: Room, case_id: str, instance_id: int) -> str:
    """Join a dose, structure set or plan to its case; what cannot be used is joined as refused."""
    found = room.store.instances.get(instance_id)
    current = room.store.cases.get(case_id)
    try:
        _require_same_patient(current, found)
        kind, note, detail = _prepare(room, current, found)
    except RecontourError as error:
        kind, note, detail = REFUSED, str(error), None
    joined = room.store.instances.attach(
        current, found.id, kind=kind, note=note, detail=detail, now=room.now()
    )
    log.info("case.attached", case=case_id, kind=kind if joined else "void")
    return kind


def _require_same_patient(current: Case, found: Instance) -> None:
    if current.patient_id and found.header.patient_id not in {"", current.patient_id}:
        raise GeometryMismatchError(
            f"This {found.header.modality} names the Frame of Reference of this CT but another "
            "Patient ID. Export both from the same patient."
        )


def _prepare(room: Room, current: Case, found: Instance) -> tuple[str, str, dict[str, Any] | None]:
    match found.header.modality:
        case "RTDOSE":
            return join_dose(room, current, found)
        case "RTSTRUCT":
            joined = join_structure_set(room, current, found)
            # What became a correction is measured as one, not a second time as a reference.
            return (RETURNED, "", joined[2]) if take_back(room, current, found) else joined
        case _:
            return join_plan(room, found)
