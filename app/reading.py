"""Objects of others, read in the sandbox; what breaks there goes into quarantine."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.room import Room
from app.sandbox import sandbox
from core.errors import DamagedObjectError
from core.files import TEMPORARY_SUFFIX
from core.geometry import VolumeGeometry
from core.plans import DoseOrigin, Plan
from core.records import Case, Instance
from core.structure_files import read_structures
from core.structures import StructureSet
from core.tps_dvh import TpsDvhs


@dataclass(frozen=True, slots=True)
class FoundDose:
    """What a dose is the dose of, its shape (slice, row, column), and the DVHs that it brings."""

    origin: DoseOrigin
    shape: tuple[int, int, int]
    dvhs: TpsDvhs | None


def assemble_series(
    room: Room, case_id: str, assembly: str, instances: Sequence[Instance]
) -> tuple[VolumeGeometry, tuple[str, ...]]:
    """Write the volume of a CT series to the case; its geometry and findings (see `read_ct`)."""
    found = _read(room, "series", instances, **_case(room, case_id), assembly=assembly)
    return VolumeGeometry.from_json(found["geometry"]), tuple(found["findings"])


def keep_dose(room: Room, current: Case, found: Instance) -> FoundDose:
    """Write a dose grid to the case, unless it is a beam's (see `read_dose`)."""
    read = _read(room, "dose", [found], **_case(room, current.id), instance_id=found.id)
    rows, columns = read["shape"][1:]
    return FoundDose(
        DoseOrigin.from_json(read["origin"]),
        (read["shape"][0], rows, columns),
        None if read["dvhs"] is None else TpsDvhs.from_json(read["dvhs"]),
    )


def keep_sum(room: Room, current: Case, members: Sequence[Instance]) -> None:
    """Write the sum of doses to the case as that of the last of them (see `sum_of_doses`)."""
    last = max(member.id for member in members)
    _read(room, "sum_doses", members, **_case(room, current.id), instance_id=last)


def plan_of(room: Room, found: Instance) -> Plan:
    """The plan in an instance (see `read_plan`)."""
    return Plan.from_json(_read(room, "plan", [found]))


def structures_of(room: Room, current: Case, found: Instance) -> StructureSet:
    """The structure set in an instance, on the case's frame of reference where it has it."""
    folder = room.store.files.folder(current.id) / f"{uuid.uuid4().hex}{TEMPORARY_SUFFIX}"
    folder.mkdir(parents=True)
    try:
        frame = current.frame_of_reference_uid
        _read(room, "structures", [found], frame_of_reference_uid=frame, folder=str(folder))
        return read_structures(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _case(room: Room, case_id: str) -> dict[str, Any]:
    return {"data_folder": str(room.settings.data_folder.resolve()), "case_id": case_id}


def _read(room: Room, task: str, instances: Sequence[Instance], **arguments: Any) -> Any:
    by_path: dict[Path, Instance] = {room.path(i.path).resolve(): i for i in instances}
    try:
        found = sandbox().run(task, list(by_path), **arguments)
    except DamagedObjectError as error:
        if error.path is not None:
            broken = by_path[error.path]
            room.store.quarantine.damaged(broken, reason=str(error), now=room.now())
        raise
    # It may have been the machine that was short of memory, and not the object.
    room.store.quarantine.read_after_all([i.id for i in instances], now=room.now())
    return found
