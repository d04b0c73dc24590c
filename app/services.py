"""What the DICOM process answers besides C-ECHO and C-STORE, put together."""

from __future__ import annotations

from app.committing import take_report
from app.room import Room
from dicom_node.network.access import Access
from dicom_node.network.services import Services


def services_of(room: Room) -> Services:
    """Query, retrieve and storage commitment over the store of `room`."""
    return Services(
        ae_title=room.settings.dicom.ae_title,
        peers=room.settings.peers,
        tls=room.settings.dicom.tls,
        folder=room.settings.data_folder,
        instances=room.store.instances,
        query=room.store.query,
        owed=room.store.owed,
        may=Access(room.settings.peers).caller_may,
        take_report=lambda report, ae_title: take_report(room, report, ae_title),
    )
