"""One function per DIMSE event. Each answers with a status and never raises."""

from __future__ import annotations

from typing import Any, Protocol

import structlog
from pynetdicom import evt
from pynetdicom.association import Association

from core.errors import BadUidError, StorageFullError, UnreadableObjectError
from dicom_node.network.access import Access
from dicom_node.network.inbox import IdentityMismatchError, Received
from dicom_node.network.status import EchoStatus, StoreStatus

log = structlog.get_logger()


class Keeper(Protocol):
    """Takes what arrives. Keeping must be durable before it returns."""

    def keep(self, received: Received) -> None:
        """Keep the instance; raise a named error of `Inbox.keep` when it cannot be kept."""


def on_c_echo(event: evt.Event, access: Access) -> EchoStatus:
    """We hear you."""
    if not access.caller_may(event, "echo"):
        return EchoStatus.SOP_CLASS_NOT_SUPPORTED
    return EchoStatus.SUCCESS


def on_c_store(
    association: Association, received: Received, keeper: Keeper, access: Access
) -> StoreStatus:
    """Keep the instance, then say so."""
    caller = association.requestor
    if not access.may(caller.ae_title, caller.address, "store"):
        return StoreStatus.NOT_AUTHORIZED
    return _keep(received, keeper)


def on_odd_c_store(_event: evt.Event) -> StoreStatus:
    """Refuse what the direct way of `messages` did not recognise as a C-STORE in its context."""
    return _refused(StoreStatus.DATASET_MISMATCH, IdentityMismatchError())


def keep_sent(event: evt.Event, keeper: Keeper) -> StoreStatus:
    """Keep what a C-STORE brings from whom we allowed to, or asked for it."""
    request: Any = event.request  # a C-STORE request, here
    received = Received(
        part10=event.encoded_dataset(),
        sop_class_uid=str(request.AffectedSOPClassUID),
        sop_instance_uid=str(request.AffectedSOPInstanceUID),
        calling_ae_title=other_end(event),
    )
    return _keep(received, keeper)


def _keep(received: Received, keeper: Keeper) -> StoreStatus:
    try:
        keeper.keep(received)
    except (StorageFullError, OSError) as error:
        return _refused(StoreStatus.OUT_OF_RESOURCES, error)
    except IdentityMismatchError as error:
        return _refused(StoreStatus.DATASET_MISMATCH, error)
    except (BadUidError, UnreadableObjectError) as error:
        return _refused(StoreStatus.CANNOT_UNDERSTAND, error)
    except Exception as error:
        # Not the traceback: a message from below may quote what was to be kept.
        return _refused(StoreStatus.OUT_OF_RESOURCES, error)
    return StoreStatus.SUCCESS


def other_end(event: evt.Event) -> str:
    """The AE title of the peer, whichever side opened the association."""
    peer = event.assoc.requestor if event.assoc.is_acceptor else event.assoc.acceptor
    return str(peer.ae_title).strip()


def _refused(status: StoreStatus, error: Exception) -> StoreStatus:
    log.warning("c_store.refused", status=f"0x{status:04X}", kind=type(error).__name__)
    return status
