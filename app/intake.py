"""From instances to a case: assemble the CT, join dose and structure sets."""

from __future__ import annotations

import hashlib

import structlog

from app.room import Room
from core.case import CaseState
from core.errors import RecontourError
from core.rasterise import mask_of_contours
from core.records import Instance
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtdose_reader import read_dose
from dicom_node.objects.rtstruct_reader import read_structure_set

log = structlog.get_logger()

DOSE, STRUCTURE_SET, PLAN, REFUSED = "dose", "structure_set", "plan", "refused"
WHOLE_PLAN = frozenset({"PLAN", "MULTI_PLAN"})


def assemble(room: Room, case_id: str, series_instance_uid: str) -> str:
    """Make the case's volume from its series, or write down in one sentence why not."""
    instances = room.store.instances.of_series(series_instance_uid)
    current = room.store.cases.get(case_id)
    if current.state in {CaseState.IN_REVIEW, CaseState.APPROVED, CaseState.DELIVERED}:
        return "left alone: the case is past assembly"
    try:
        ct = read_ct([room.path(i.path) for i in instances])
        assembly = assembly_of(instances)
        room.store.files.write_ct(case_id, assembly, ct)
        room.store.cases.assembled(
            case_id,
            assembly=assembly,
            instance_count=len(instances),
            geometry=ct.geometry,
            now=room.now(),
        )
    except RecontourError as error:
        log.warning("case.not_assembled", case=case_id, reason=str(error))
        room.store.cases.failed(
            case_id, reason=str(error), instance_count=len(instances), now=room.now()
        )
        return str(error)
    log.info("case.assembled", case=case_id, instances=len(instances))
    return "assembled"


def assembly_of(instances: list[Instance]) -> str:
    """A name for this very set of instances: changes when a slice is added or differs."""
    lines = sorted(f"{i.header.sop_instance_uid} {i.sha256}" for i in instances)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def attach(room: Room, case_id: str, instance_id: int) -> str:
    """Join a dose, structure set or plan to its case; what cannot be used is joined as refused."""
    found = room.store.instances.get(instance_id)
    try:
        kind, note = _prepare(room, case_id, found)
    except RecontourError as error:
        kind, note = REFUSED, str(error)
    room.store.instances.attach(case_id, instance_id, kind=kind, note=note, now=room.now())
    log.info("case.attached", case=case_id, kind=kind)
    return kind


def _prepare(room: Room, case_id: str, found: Instance) -> tuple[str, str]:
    match found.header.modality:
        case "RTDOSE":
            return _prepare_dose(room, case_id, found)
        case "RTSTRUCT":
            return _prepare_reference(room, case_id, found)
        case _:
            return PLAN, ""


def _prepare_dose(room: Room, case_id: str, found: Instance) -> tuple[str, str]:
    dose = read_dose(room.path(found.path))
    if dose.dose_summation_type not in WHOLE_PLAN:
        return REFUSED, (
            f"Dose Summation Type (3004,000A) is {dose.dose_summation_type!r}; only the dose of "
            "a whole PLAN is used. Export the plan dose."
        )
    room.store.files.write_dose(case_id, found.id, dose.volume)
    return DOSE, ""


def _prepare_reference(room: Room, case_id: str, found: Instance) -> tuple[str, str]:
    """Keep the masks of configured structures that the TPS sent; the note names them."""
    current = room.store.cases.get(case_id)
    structure_set = read_structure_set(room.path(found.path))
    for structure in room.settings.structures:
        roi = structure_set.roi_named(structure.name)
        if roi is None or not roi.contours or current.geometry is None:
            continue
        drawn = mask_of_contours([c.points_mm for c in roi.contours], current.geometry)
        room.store.files.write_mask(case_id, f"reference-{found.id}", drawn.mask)
        return STRUCTURE_SET, structure.name
    return STRUCTURE_SET, ""
