"""CT series and their structure sets in a folder, brought into the store to be learned from."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.import_checks import FoundContour, contour_to_import
from app.importing import (
    REFUSED,
    WOULD,
    ImportPlan,
    import_case,
    require_may_judge,
    require_unapproved,
    row_of,
)
from app.intake import assemble, attach
from app.room import Room
from app.tables import Row
from core.case import CaseState
from core.errors import ImportRefusedError, RecontourError, UnreadableObjectError
from core.records import RECOVERED, Case, InstanceHeader
from core.rules import for_training
from core.volume import CtVolume
from dicom_node.network.header import read_header
from dicom_node.network.inbox import Inbox, Received
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtstruct_reader import read_structure_set

# What a node that runs does to the same case at the same time is over by then.
JOINED_WITHIN_S = 30.0


@dataclass
class FoundSeries:
    """One CT series of a folder and what belongs to it; `name` is where it lies."""

    name: str
    header: InstanceHeader
    ct: list[Path] = field(default_factory=list)
    structure_sets: list[Path] = field(default_factory=list)
    doses: list[Path] = field(default_factory=list)

    def joined_by(self, header: InstanceHeader) -> bool:
        """Whether a structure set or dose belongs to this CT."""
        return (
            header.series_instance_uid == self.header.series_instance_uid
            or (
                header.frame_of_reference_uid is not None
                and header.frame_of_reference_uid == self.header.frame_of_reference_uid
            )
            or self.header.series_instance_uid in header.referenced_uids
        )


def import_folder(
    room: Room, folder: Path, plan: ImportPlan, told: Callable[[int, int], None]
) -> list[Row]:
    """A row for each CT series below `folder`; `told(done, of)` hears how far it is.

    A series is looked at before anything of it is kept: one that is refused leaves nothing.
    """
    found = series_in(folder)
    if not found:
        raise UnreadableObjectError(f"No CT instance is in {folder}; name the folder of the CT.")
    rows = []
    for done, series in enumerate(found, start=1):
        try:
            rows.append(_imported(room, series, plan))
        except RecontourError as error:
            rows.append(row_of(series.name, plan.roi_name, REFUSED, why=str(error)))
        told(done, len(found))
    return rows


def series_in(folder: Path) -> list[FoundSeries]:
    """Every CT series below `folder` with its structure sets and doses, by place."""
    by_uid: dict[str, FoundSeries] = {}
    others: dict[str, list[tuple[Path, InstanceHeader]]] = defaultdict(list)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            header = read_header(path.read_bytes())
        except RecontourError:
            continue  # no DICOM, or damaged: a slice that is missing is told by its series
        if header.modality == "CT":
            name = str(path.parent.relative_to(folder))
            new = FoundSeries(folder.name if name == "." else name, header)
            by_uid.setdefault(header.series_instance_uid, new).ct.append(path)
        else:
            others[header.modality].append((path, header))
    for series in by_uid.values():
        series.structure_sets = [p for p, h in others["RTSTRUCT"] if series.joined_by(h)]
        series.doses = [p for p, h in others["RTDOSE"] if series.joined_by(h)]
    return sorted(by_uid.values(), key=lambda series: series.name)


def contour_in(series: FoundSeries, ct: CtVolume, names: tuple[str, ...]) -> FoundContour:
    """The contour that was drawn last on a CT series; raises `ImportRefusedError` without one."""
    found, refusals = [], []
    for path in series.structure_sets:
        try:
            frame = ct.geometry.frame_of_reference_uid
            structure_set = read_structure_set(path, frame_of_reference_uid=frame)
            uid = ct.identity.series_instance_uid
            found.append(contour_to_import(structure_set, names, ct.geometry, uid))
        except RecontourError as error:
            refusals.append(str(error))
    if not found:
        nothing = ["No RTSTRUCT beside the CT was drawn on it."]
        raise ImportRefusedError(" ".join(dict.fromkeys(refusals or nothing)))
    return max(found, key=lambda contour: contour.drawn_at)


def _imported(room: Room, series: FoundSeries, plan: ImportPlan) -> Row:
    ct = read_ct(series.ct)
    contour = contour_in(series, ct, plan.names)
    known = room.store.teaching.case_of_series(series.header.series_instance_uid)
    if known is not None:
        require_unapproved(room, known.id, plan.roi_name)
    require_may_judge(room, series.header.patient_id, plan)
    if plan.dry_run:
        cc = ct.geometry.volume_cc(contour.mask)
        return row_of(series.name, contour.roi_name, WOULD, cc=cc)
    current = _kept(room, series, plan.roi_name)
    return import_case(room, current.id, plan, name=series.name)


def _kept(room: Room, series: FoundSeries, roi_name: str) -> Case:
    """The case of a series whose objects are in the store, with its volume and contours."""
    inbox = Inbox(
        room.settings.data_folder,
        room.store.instances,
        reserve_mb=room.settings.disk_reserve_mb,
    )
    uid = series.header.series_instance_uid
    for path in (*series.ct, *series.structure_sets, *series.doses):
        content = path.read_bytes()
        header = read_header(content)
        # Nobody sent it: a TPS that pushes the same CT later makes it a case like any other.
        inbox.keep(Received(content, header.sop_class_uid, header.sop_instance_uid, RECOVERED))
        if path == series.ct[0]:
            _begun(room, uid, roi_name)
    current = room.store.teaching.case_of_series(uid)
    if current is None:
        raise ImportRefusedError("The CT could not be kept under its own UID; import it alone.")
    if current.assembly is None:
        assemble(room, current.id, uid, for_training(roi_name))
    elif current.assembled_count != len(room.store.instances.of_series(uid)):
        assemble(room, current.id, uid)
    _join(room, current.id)
    return room.store.cases.get(current.id)


def _begun(room: Room, uid: str, roi_name: str) -> None:
    """A new case is for training from its first slice: a node that runs may assemble it first."""
    current = room.store.teaching.case_of_series(uid)
    if current is not None and current.assembly is None and current.routing is None:
        room.store.cases.routed(current.id, for_training(roi_name))


def _join(room: Room, case_id: str) -> None:
    """Join what belongs to the case; again, where a node that runs assembled it anew meanwhile."""
    deadline = time.monotonic() + JOINED_WITHIN_S
    while time.monotonic() < deadline:
        mine = [i for joined, i in room.store.instances.to_attach() if joined == case_id]
        if not mine and room.store.cases.get(case_id).state is not CaseState.RECEIVING:
            return
        for instance in mine:
            attach(room, case_id, instance.id)
        time.sleep(0.05)  # another process joins them: only its rows tell when
