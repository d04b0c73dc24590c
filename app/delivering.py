"""Delivery: the approved structure set is written, checked by two readers, and sent."""

from __future__ import annotations

import structlog

from app.jobs import pause_after
from app.room import Room
from app.writing import write_approved
from core.config import DestinationSettings
from core.delivery_store import SENT
from core.errors import ConversionMismatchError, DeliveryError
from core.records import Delivery
from dicom_node.network.scu import send_instances

log = structlog.get_logger()


def prepare(room: Room, delivery_id: str) -> bool:
    """Write and check the RTSTRUCT; False when it must not leave the node (the row says why)."""
    delivery = room.store.deliveries.get(delivery_id)
    if delivery.state == SENT:
        return True
    try:
        write_approved(room, room.store.reviews.correction(delivery.correction_id))
    except ConversionMismatchError as error:
        log.error("delivery.held", delivery=delivery_id)  # noqa: TRY400 (the row has the sentence)
        room.store.deliveries.held(delivery_id, reason=str(error), now=room.now())
        return False
    return True


def try_send(room: Room, delivery_id: str) -> float | None:
    """Send once; None when the destination has answered 0x0000, else seconds until the next try."""
    delivery = room.store.deliveries.get(delivery_id)
    if delivery.state == SENT:
        return None
    destination = _destination(room, delivery)
    if destination is None:
        reason = f"No destination named {delivery.destination!r} in config.yaml. Add it back."
        tries = room.store.deliveries.tried(delivery_id, error=reason)
        return pause_after(tries)
    path = room.store.files.structure_set_path(delivery.case_id, delivery.correction_id)
    try:
        (sop_instance_uid,) = send_instances(
            [path], destination, calling_ae_title=room.settings.dicom.ae_title
        )
    except DeliveryError as error:
        tries = room.store.deliveries.tried(delivery_id, error=str(error))
        log.warning("delivery.failed", delivery=delivery_id, tries=tries, reason=str(error))
        return pause_after(
            tries, first_s=destination.retry_first_s, longest_s=destination.retry_longest_s
        )
    room.store.deliveries.sent(delivery_id, sop_instance_uid=sop_instance_uid, now=room.now())
    log.info("delivery.sent", delivery=delivery_id, destination=destination.name)
    return None


def _destination(room: Room, delivery: Delivery) -> DestinationSettings | None:
    named = [d for d in room.settings.destinations if d.name == delivery.destination]
    return named[0] if named else None
