"""What is wrong with the node at this moment: a sentence for each thing, with what to do.

A sentence names peers, structures and processes of config.yaml, and never a case.
"""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import timedelta

from app.alerting.restarts import restarting
from app.room import Room
from core.case import CaseState

MEGABYTE = 1_000_000


def standing(room: Room) -> dict[str, str]:
    """What is wrong now, in words, by what it is about."""
    return {
        **_deliveries(room),
        **_waiting(room),
        **_disk(room),
        **_processes(room),
        **_refused_rounds(room),
    }


def _patience(room: Room) -> timedelta:
    return timedelta(minutes=room.settings.alerts.patience_minutes)


def _deliveries(room: Room) -> dict[str, str]:
    now = room.now()
    overdue = room.store.deliveries.overdue(now - _patience(room))
    count = Counter(delivery.destination for delivery in overdue)
    return {
        f"delivery:{name}": f"Structure sets do not reach {name} ({number}). The page Deliveries "
        "says why, and sends them again."
        for name, number in sorted(count.items())
    }


def _waiting(room: Room) -> dict[str, str]:
    """Series and cases that the worker should have taken up long ago."""
    before = room.now() - _patience(room)
    quiet = timedelta(seconds=room.settings.dicom.quiet_time_s)
    found = {}
    if series := len(room.store.instances.series_due(quiet_since=before - quiet)):
        found["queue:intake"] = (
            f"Series that are complete wait to be put together ({series}). See that the worker "
            "runs: recontour doctor; its log says what it does."
        )
    for structure in room.settings.structures:
        model = room.store.learning.released(structure.name)
        if model is None:
            continue
        cases = room.store.cases.to_predict(structure.name, model.version)
        # Whatever has a prediction of an earlier model waits for nobody.
        old = [c for c in cases if c.state is CaseState.ASSEMBLED and c.updated_at < before]
        if old:
            found[f"queue:predict:{structure.name}"] = (
                f"Cases wait for a prediction of {structure.name} ({len(old)}). See that the "
                "worker runs: recontour doctor; its log says what it does."
            )
    return found


def _disk(room: Room) -> dict[str, str]:
    reserve = room.settings.disk_reserve_mb
    free = shutil.disk_usage(room.settings.data_folder).free
    if free >= reserve * MEGABYTE:
        return {}
    return {
        "disk": f"Less than {reserve} MB are free on the disk of the data folder: nothing is "
        "received and nothing is learned. Free space there."
    }


def _processes(room: Room) -> dict[str, str]:
    return {
        f"process:{role}@{host}": f"The process {role} on {host} ends again and again. Its log "
        "says why."
        for role, host in restarting(room.settings.data_folder)
    }


def _refused_rounds(room: Room) -> dict[str, str]:
    many = room.settings.alerts.rounds_refused
    found = {}
    for structure in room.settings.structures:
        rounds = room.store.learning.rounds(structure.name, newest=many, finished=True)
        if len(rounds) == many and all(one.version is None for one in rounds):
            found[f"gate:{structure.name}"] = (
                f"The last {many} rounds of learning {structure.name} gave no better model. The "
                "page Models says what each was refused for."
            )
    return found
