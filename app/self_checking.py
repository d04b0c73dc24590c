"""Our dose figures held against the planning system's own, where a dose brings its DVHs."""

from __future__ import annotations

import structlog

from app.reading import structures_of
from app.room import Room
from core.dose_records import SelfCheck
from core.errors import RecontourError
from core.records import Case
from core.self_check_store import CheckDue
from core.structures import StructureSet
from core.tps_dvh import TpsDvhs
from dose.self_check import Beside, Tolerance, compare_with_tps

log = structlog.get_logger()

EDITION = 1
"""Of the comparison: raised when it is made in another way."""


def basis_of(room: Room) -> str:
    """What figures are judged by: edition of the comparison, and tolerance."""
    return f"{EDITION}/{_tolerance(room).key}"


def check(room: Room, due: CheckDue) -> None:
    """Compute the figures of every ROI that the TPS's DVHs are of, judge them, and keep both."""
    current = room.store.cases.get(due.case_id)
    if current.assembly != due.assembly or current.geometry is None:
        return  # on its new volume everything joins anew
    said = room.store.doses.dvhs(due.case_id, due.dose_instance_id)
    if said is None:
        return
    figures: list[Beside] = []
    try:
        drawn = structures_of(room, current, room.store.instances.get(due.structure_instance_id))
        figures = _figures(room, current, due.dose_instance_id, said, drawn)
        words = _in_words(figures)
    except RecontourError as error:
        words = f"not compared. {error}"
    room.store.self_checks.add(
        SelfCheck(
            case_id=due.case_id,
            assembly=due.assembly,
            dose_instance_id=due.dose_instance_id,
            structure_instance_id=due.structure_instance_id,
            basis=basis_of(room),
            figures=[one.to_json() for one in figures],
            words=words,
            created_at=room.now(),
        )
    )
    log.info("dose.self_checked", case=due.case_id, structures=len(figures), agrees=not words)


def _tolerance(room: Room) -> Tolerance:
    allowed = room.settings.self_check
    return Tolerance(allowed.mean_percent, allowed.mean_gy, allowed.volume_percent)


def _figures(
    room: Room, current: Case, dose_instance_id: int, said: TpsDvhs, drawn: StructureSet
) -> list[Beside]:
    dose = room.store.files.read_dose(current.id, dose_instance_id)
    rois = {roi.roi_number: roi for roi in drawn.rois}
    assert current.geometry is not None, "there is no dose on a case without a volume"
    return [
        compare_with_tps(dose, current.geometry, rois[one.roi_number], one, _tolerance(room))
        if one.roi_number in rois
        else Beside(f"ROI {one.roi_number}", obstacle="The structure set has no such ROI here.")
        for one in said.figures
    ]


def _in_words(figures: list[Beside]) -> str:
    """What is beyond the tolerance, and what to do; "" where nothing is."""
    found = []
    for one in figures:
        if one.mean_differs:
            found.append(f"{one.roi_name} {one.mean_gy:.2f} Gy, the TPS says {one.tps_mean_gy:.2f}")
        if one.volume_differs:
            found.append(
                f"{one.roi_name} {one.volume_cc:.1f} cc, the TPS says {one.tps_volume_cc:.1f}"
            )
    if not found:
        return ""
    return (
        f"{'; '.join(found)}. Before a figure is used: export plan, structure set and dose of one "
        "calculation again, and compare."
    )
