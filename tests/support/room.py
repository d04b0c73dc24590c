"""A node's room in this process: the steps of a case without the processes around them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom import dcmread

from app import checking, dosing, intake, plan_doses, self_checking
from app.room import Room
from core.approval import Approval, approve, base_mask
from core.geometry import Mask
from core.journal import encode_runs, mask_crc32
from core.learning_store import LearningSet
from core.records import Correction, JournalEntry
from core.store import open_store
from dicom_node.network.inbox import Inbox, Received
from tests.support.settings import free_port, settings_for


def open_room(
    folder: Path,
    *,
    destination_host: str = "127.0.0.1",
    destination_port: int | None = None,
    objects: tuple[str, ...] = ("RTSTRUCT",),
    returning: str = "compare",
) -> Room:
    """A room with an empty store in `folder` and one destination, TPS; nobody listens there."""
    destination = {
        "name": "TPS",
        "ae_title": "TPS",
        "host": destination_host,
        "port": destination_port or free_port(),
        "objects": objects,
        "retry_first_s": 60,
        "retry_longest_s": 60,
    }
    rule = {"name": "heart", "when": {"modality": "CT"}, "returning": returning}
    goes_to = {"structures": ["Heart"], "destinations": ["TPS"]}
    settings = settings_for(
        folder, dicom={"quiet_time_s": 0}, peers=[destination], rules=[{**rule, **goes_to}]
    )
    return Room(settings, open_store(settings))


def receive(room: Room, paths: list[Path]) -> None:
    """Keep files as if they had come by C-STORE."""
    inbox = Inbox(room.settings.data_folder, room.store.instances, reserve_mb=0)
    for path in paths:
        meta = dcmread(path, stop_before_pixels=True)
        inbox.keep(
            Received(path.read_bytes(), str(meta.SOPClassUID), str(meta.SOPInstanceUID), "TPS")
        )


def bring_up_to_date(room: Room) -> None:
    """Assemble, join, measure and check whatever is due, in this thread."""
    room.store.quarantine.put_replacements_in_use(now=room.now())
    for case_id, series, _ in room.store.instances.series_due(quiet_since=room.now()):
        intake.assemble(room, case_id, series)
    for case_id, instance in room.store.instances.to_attach():
        intake.attach(room, case_id, instance.id)
    for case, plan_uid, _ in plan_doses.sums_due(room):
        plan_doses.sum_beams(room, case.id, plan_uid)
    for due in room.store.cases.dose_due():
        dosing.measure(room, due)
    for to_check in room.store.self_checks.due(self_checking.basis_of(room)):
        self_checking.check(room, to_check)
    checking.check_what_is_new(room, "Heart")


def taught(room: Room) -> LearningSet:
    """What is learned from once everything was checked."""
    checking.check_what_is_new(room, "Heart")
    return room.store.learning.learning_set("Heart")


def approve_mask(
    room: Room,
    case_id: str,
    mask: Mask,
    *,
    who: str = "anna",
    hold_s: float = 0.0,
    before_approval: Callable[[], None] = lambda: None,
) -> Correction:
    """Review a case as `who` until `mask` is what is shown, and approve it."""
    store, now = room.store, room.now()
    case = store.reviews.open(case_id, "Heart", who=who, tab="t", now=now, lock_s=60)
    base = base_mask(store, case, "Heart")[1]
    strokes = {"add": mask} if base is None else {"remove": base & ~mask, "add": mask & ~base}
    last = 0
    for tool, voxels in strokes.items():
        if voxels.any():
            last += 1
            stroke = {"tool": tool, "runs": encode_runs(np.flatnonzero(voxels))}
            entry = JournalEntry(last, "stroke", stroke)
            store.reviews.append(case_id, "Heart", entry, who=who, tab="t", now=now)
    before_approval()
    shown = Approval(who, "t", last, int(mask.sum()), mask_crc32(mask), (0,))
    return approve(store, case, "Heart", shown, destinations=["TPS"], now=now, hold_s=hold_s)
