"""What the DICOM process answers besides C-ECHO and C-STORE, put together."""

from __future__ import annotations

from pynetdicom import evt

from app.committing import take_report
from app.room import Room
from core.config import Right
from dicom_node.network.services import Services


def services_of(room: Room) -> Services:
    """Query, retrieve and storage commitment over the store of `room`."""

    def may(event: evt.Event, right: Right) -> bool:
        caller = event.assoc.requestor.ae_title.strip()
        peers = room.settings.peers
        return any(right in p.rights for p in peers if p.ae_title.strip() == caller)

    return Services(
        ae_title=room.settings.dicom.ae_title,
        peers=room.settings.peers,
        tls=room.settings.dicom.tls,
        folder=room.settings.data_folder,
        instances=room.store.instances,
        query=room.store.query,
        owed=room.store.owed,
        may=may,
        take_report=lambda report, ae_title: take_report(room, report, ae_title),
    )
