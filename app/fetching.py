"""Fetching a CT, a dose or contours that were not pushed, from a peer that has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from pydicom import Dataset

from app.room import Room
from core.config import PeerSettings
from core.errors import ConfigError, DeliveryError
from core.query_store import Level, Scope
from dicom_node.network import fetch
from dicom_node.network.fetch import Ourselves
from dicom_node.network.inbox import Inbox

log = structlog.get_logger()

# What is worth fetching; a study of a PACS holds more than we keep.
MODALITIES = frozenset({"CT", "RTDOSE", "RTSTRUCT", "RTPLAN"})

_STUDY = ("StudyInstanceUID", "StudyDate", "StudyDescription", "ModalitiesInStudy")
_SERIES = ("SeriesInstanceUID", "Modality", "SeriesDescription", "NumberOfSeriesRelatedInstances")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person named; at least one of them."""

    study_instance_uid: str = ""
    series_instance_uid: str = ""
    patient_id: str = ""


def studies_at(room: Room, peer: PeerSettings, wanted: Wanted) -> list[dict[str, str]]:
    """Studies of `peer` that fit, without a patient's name.

    Raises `DeliveryError` where `peer` does not answer or has none, `ConfigError` where nothing
    was named.
    """
    if wanted == Wanted():
        raise ConfigError("Name a study, a series or a Patient ID; everything is not fetched.")
    keys = dict.fromkeys(_STUDY, "")
    keys |= {"StudyInstanceUID": wanted.study_instance_uid, "PatientID": wanted.patient_id}
    if wanted.series_instance_uid and not wanted.study_instance_uid:
        # Below the level it asks for, which many peers allow (relational queries).
        keys = {"StudyInstanceUID": "", "SeriesInstanceUID": wanted.series_instance_uid}
        found = _find(room, peer, Level.SERIES, keys)
    else:
        found = _find(room, peer, Level.STUDY, keys)
    if not found:
        raise DeliveryError(f"{peer.name} has no study that fits. Check the UID or the Patient ID.")
    return [{keyword: _text(ds, keyword) for keyword in _STUDY} for ds in found]


def series_at(room: Room, peer: PeerSettings, study: str, series: str = "") -> list[dict[str, str]]:
    """Series of a study of `peer` that are worth fetching; raises `DeliveryError`."""
    keys = {"StudyInstanceUID": study, **dict.fromkeys(_SERIES, ""), "SeriesInstanceUID": series}
    found = [
        {"StudyInstanceUID": study, **{keyword: _text(ds, keyword) for keyword in _SERIES}}
        for ds in _find(room, peer, Level.SERIES, keys)
    ]
    return [entry for entry in found if series or entry["Modality"] in MODALITIES]


def fetch_study(
    room: Room, peer: PeerSettings, study: str, series: str = "", *, over_get: bool = False
) -> list[dict[str, str | int]]:
    """Bring what is worth fetching of a study, or one series of it; a row for each series.

    A series of which the node holds as many instances as `peer` says it has is left alone.
    Raises `DeliveryError` when something did not come.
    """
    rows: list[dict[str, str | int]] = []
    for entry in series_at(room, peer, study, series):
        uid = entry["SeriesInstanceUID"]
        held = _held(room, uid)
        if str(held) != entry["NumberOfSeriesRelatedInstances"]:
            held = fetch_series(room, peer, study, uid, over_get=over_get)
        rows.append({**entry, "held": held})
    if not rows:
        raise DeliveryError(
            f"{peer.name} has nothing in this study that is worth fetching (CT, RT Dose, RT "
            "Structure Set, RT Plan). Name another study."
        )
    return rows


def fetch_series(
    room: Room, peer: PeerSettings, study: str, series: str, *, over_get: bool = False
) -> int:
    """Bring one series into the store; how many instances of it are held then.

    `peer` is asked to send it to the node (C-MOVE), which must be running. Where it does not know
    the node, or `over_get` says so, it comes on our own association (C-GET). Raises
    `DeliveryError` unless everything came.
    """
    keys = {"StudyInstanceUID": study, "SeriesInstanceUID": series}
    ours = _ourselves(room)
    held_before = _held(room, series)
    fetched = None
    if not over_get:
        fetched = fetch.move(peer, Level.SERIES, keys, to=ours.ae_title, ours=ours)
        log.info("fetch.moved", status=f"0x{fetched.status:04X}", instances=fetched.completed)
    if fetched is None or fetched.completed == 0:
        fetched = _get(room, peer, keys, ours)
    if fetched.status != 0 or fetched.failed:
        raise DeliveryError(
            f"{peer.name} answered 0x{fetched.status:04X}: {fetched.completed} instances came and "
            f"{fetched.failed} did not. Fetch again, or look into its log."
        )
    held = _held(room, series)
    room.store.query.audited(
        who=ours.ae_title,
        event="dicom.fetched",
        now=room.now(),
        peer=peer.name,
        studies=[study],
        instances=held - held_before,
    )
    return held


def _get(room: Room, peer: PeerSettings, keys: Mapping[str, str], ours: Ourselves) -> fetch.Fetched:
    settings, store = room.settings, room.store
    inbox = Inbox(settings.data_folder, store.instances, reserve_mb=settings.disk_reserve_mb)
    fetched = fetch.get(peer, Level.SERIES, keys, inbox, ours=ours)
    log.info("fetch.got", status=f"0x{fetched.status:04X}", instances=fetched.completed)
    return fetched


def _held(room: Room, series: str) -> int:
    return len(room.store.query.instances(Scope(series_instance_uids=(series,))))


def _find(room: Room, peer: PeerSettings, level: Level, keys: Mapping[str, str]) -> list[Dataset]:
    return fetch.find(peer, level, keys, ours=_ourselves(room))


def _ourselves(room: Room) -> Ourselves:
    return Ourselves(room.settings.dicom.ae_title, room.settings.dicom.tls)


def _text(ds: Dataset, keyword: str) -> str:
    found = ds.get(keyword)
    several = found if isinstance(found, list) or hasattr(found, "append") else [found]
    return ", ".join(str(value) for value in several if value is not None)
