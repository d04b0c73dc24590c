"""Asking and sending: C-ECHO and C-STORE to a peer."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from core.config import PeerSettings
from core.errors import DeliveryError
from dicom_node.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.network.contexts import VERIFICATION
from dicom_node.network.status import StoreStatus

TIMEOUT_S = 30.0


def echo(peer: PeerSettings, *, calling_ae_title: str) -> None:
    """Return when `peer` answers C-ECHO with 0x0000; else raise `DeliveryError`."""
    with _associated(peer, calling_ae_title, [build_context(VERIFICATION)]) as association:
        _require_success(association.send_c_echo(), peer)


def send_instances(
    paths: Sequence[Path], peer: PeerSettings, *, calling_ae_title: str
) -> list[str]:
    """Send files over one association; SOP Instance UIDs of what `peer` accepted with 0x0000.

    Raises `DeliveryError` at the first that was not; sending everything again is harmless.
    """
    contexts = _contexts_for(paths)
    sent: list[str] = []
    with _associated(peer, calling_ae_title, contexts) as association:
        for path in paths:
            ds = dcmread(path)
            try:
                status = association.send_c_store(ds)
            except (ValueError, RuntimeError) as error:
                raise DeliveryError(
                    f"{peer.name} accepted no presentation context for {ds.SOPClassUID.name} "
                    f"({ds.file_meta.TransferSyntaxUID.name}), or ended the association."
                ) from error
            _require_success(status, peer)
            sent.append(str(ds.SOPInstanceUID))
    return sent


def _contexts_for(paths: Sequence[Path]) -> list[PresentationContext]:
    wanted: dict[tuple[str, str], None] = {}
    for path in paths:
        try:
            meta = read_file_meta_info(path)
        except (OSError, InvalidDicomError) as error:
            raise DeliveryError(
                f"{path.name} cannot be read as DICOM and was not sent; write it again."
            ) from error
        wanted[(str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))] = None
    return [build_context(sop_class, [syntax]) for sop_class, syntax in wanted]


@contextmanager
def _associated(
    peer: PeerSettings, calling_ae_title: str, contexts: list[PresentationContext]
) -> Iterator[Association]:
    ae = AE(ae_title=calling_ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = TIMEOUT_S
    try:
        association = ae.associate(
            peer.host,
            peer.port,
            contexts=contexts,
            ae_title=peer.ae_title,
            evt_handlers=[(evt.EVT_CONN_OPEN, _without_delay)],
        )
    except OSError as error:  # a host name that does not resolve, among others
        raise DeliveryError(
            f"{peer.name} cannot be reached at {peer.host}:{peer.port} ({error.strerror}). Check "
            "host and port."
        ) from error
    if not association.is_established:
        raise DeliveryError(
            f"No association with {peer.name} ({peer.ae_title} at {peer.host}:{peer.port}): "
            f"{_why(association)}. Check that the peer runs and knows our AE title "
            f"{calling_ae_title}."
        )
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def _why(association: Association) -> str:
    return "it rejected us" if association.is_rejected else "it cannot be reached or aborted"


def _without_delay(event: evt.Event) -> None:
    # pynetdicom leaves Nagle's algorithm on; measured, it halves the speed of sending.
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _require_success(status: Any, peer: PeerSettings) -> None:
    """Only 0x0000 is success; an empty answer is a failure (the peer went away)."""
    code = getattr(status, "Status", None)
    if code is None:
        raise DeliveryError(f"{peer.name} gave no answer; it may have ended the association.")
    if code != StoreStatus.SUCCESS:
        raise DeliveryError(
            f"{peer.name} answered 0x{code:04X} instead of 0x0000. The object stays queued."
        )
