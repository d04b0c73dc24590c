"""Delivery: the approved structure set is written, checked by two readers, and sent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import structlog

from app.jobs import pause_after
from app.room import Room
from app.writing import write_approved
from app.writing_derived import write_report, write_segs
from core.config import PeerSettings
from core.delivery_store import SENT
from core.errors import ConversionMismatchError, DeliveryError, RecontourError
from core.records import Correction, Delivery
from dicom_node.network.scu import reference_to, send_instances

log = structlog.get_logger()

LONGEST_PAUSE_S = 300.0


def deliver(room: Room, delivery_id: str) -> str:
    """Try once to deliver; the row says what came of it, and when the next try is.

    Sent means that the destination answered 0x0000 for each object it asks for. A structure set
    that does not read back as it was approved is held and never leaves the node. One that does is
    sent even where SEG or SR cannot be written; then the delivery is held and says so.
    """
    delivery = room.store.deliveries.begin(delivery_id, now=room.now())
    if delivery is None:
        return "nothing to send"
    try:
        destination = room.settings.peer_named(delivery.destination)
        paths, sent = _send(room, delivery, destination)
    except ConversionMismatchError as error:
        log.error("delivery.held", delivery=delivery_id)  # noqa: TRY400 (the row has the sentence)
        room.store.deliveries.held(delivery_id, reason=str(error), now=room.now())
        return "held"
    except RecontourError as error:
        _try_again_later(room, delivery, error)
        return "failed"
    except OSError as error:
        # Says nothing about the structure set: what cannot be opened now may be there again soon.
        why = f"A file of the case cannot be read or written now ({type(error).__name__})."
        _try_again_later(room, delivery, DeliveryError(f"{why} Check the disk and the free space."))
        return "failed"
    if destination.ask_commitment:  # before the row says SENT: then nothing can come between
        references = [reference_to(path) for path in paths]
        room.store.asked.expect(
            delivery_id, references, destination=destination.name, now=room.now()
        )
    room.store.deliveries.sent(delivery_id, sop_instance_uid=sent[0], now=room.now())
    log.info("delivery.sent", delivery=delivery_id, destination=destination.name)
    return SENT


def _send(
    room: Room, delivery: Delivery, destination: PeerSettings
) -> tuple[list[Path], list[str]]:
    """Send what is asked for; the files, and their UIDs as accepted."""
    approved = room.store.reviews.correction(delivery.correction_id)
    paths, obstacle = _objects(room, approved, destination)
    ours = room.settings.dicom
    sent = (
        send_instances(paths, destination, calling_ae_title=ours.ae_title, tls=ours.tls)
        if paths
        else []
    )
    if obstacle is not None:
        raise ConversionMismatchError(f"{len(sent)} object(s) were accepted. {obstacle}")
    return paths, sent


def _objects(
    room: Room, approved: Correction, destination: PeerSettings
) -> tuple[list[Path], RecontourError | None]:
    """What the destination asks for, the structure set first; written where it is not yet.

    And why the rest cannot be written, if so: the contour must not wait for it.
    """
    paths: list[Path] = []
    if "RTSTRUCT" in destination.objects:
        paths.append(write_approved(room, approved))
    try:
        if "SEG" in destination.objects:
            paths += write_segs(room, approved)
        if "SR" in destination.objects:
            paths.append(write_report(room, approved))
    except RecontourError as error:
        return paths, error
    return paths, None


def _try_again_later(room: Room, delivery: Delivery, error: RecontourError) -> None:
    named = [p for p in room.settings.peers if p.name == delivery.destination]
    first_s, longest_s = 2.0, LONGEST_PAUSE_S
    if named:
        first_s, longest_s = named[0].retry_first_s, named[0].retry_longest_s
    pause_s = pause_after(delivery.attempts + 1, first_s=first_s, longest_s=longest_s)
    room.store.deliveries.tried(
        delivery.id, error=str(error), next_try_at=room.now() + timedelta(seconds=pause_s)
    )
    log.warning("delivery.failed", delivery=delivery.id, again_in_s=pause_s, reason=str(error))
