"""One function per DIMSE event. Each answers with a status and never raises."""

from __future__ import annotations

from typing import Any, Protocol

import structlog
from pynetdicom import evt

from core.errors import BadUidError, StorageFullError, UnreadableObjectError
from dicom_node.network.inbox import IdentityMismatchError, Received
from dicom_node.network.status import StoreStatus

log = structlog.get_logger()


class Keeper(Protocol):
    """Takes what arrives. Keeping must be durable before it returns."""

    def keep(self, received: Received) -> None:
        """Keep the instance; raise a named error of `Inbox.keep` when it cannot be kept."""


def on_c_echo(_event: evt.Event) -> StoreStatus:
    """We hear you."""
    return StoreStatus.SUCCESS


def on_c_store(event: evt.Event, keeper: Keeper) -> StoreStatus:
    """Keep the instance, then say so."""
    request: Any = event.request  # a C-STORE request, here
    try:
        keeper.keep(
            Received(
                part10=event.encoded_dataset(),
                sop_class_uid=str(request.AffectedSOPClassUID),
                sop_instance_uid=str(request.AffectedSOPInstanceUID),
                calling_ae_title=event.assoc.requestor.ae_title,
            )
        )
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


def _refused(status: StoreStatus, error: Exception) -> StoreStatus:
    log.warning("c_store.refused", status=f"0x{status:04X}", kind=type(error).__name__)
    return status
