"""Asking and sending: C-ECHO and C-STORE to a peer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from core.commitments import Reference
from core.config import PeerSettings, TlsSettings
from core.errors import DeliveryError
from dicom_node.network.association import associated
from dicom_node.network.contexts import PLAIN_SYNTAXES, VERIFICATION
from dicom_node.network.status import StoreStatus
from dicom_node.network.transcode import as_accepted, contexts_for


def echo(peer: PeerSettings, *, calling_ae_title: str, tls: TlsSettings | None = None) -> str:
    """Which implementation (its Implementation Class UID) answers C-ECHO with 0x0000.

    Raises `DeliveryError` where none does.
    """
    contexts = [build_context(VERIFICATION, list(PLAIN_SYNTAXES))]
    with associated(peer, contexts, calling_ae_title=calling_ae_title, tls=tls) as association:
        require_success(association.send_c_echo(), peer)
        return str(association.acceptor.implementation_class_uid)


def send_instances(
    paths: Sequence[Path],
    peer: PeerSettings,
    *,
    calling_ae_title: str,
    tls: TlsSettings | None = None,
) -> list[str]:
    """Send files over one association; SOP Instance UIDs of what `peer` accepted with 0x0000.

    What it does not take as it is kept is sent uncompressed. Raises `DeliveryError` at the first
    that was not accepted; sending everything again is harmless.
    """
    kinds = [kind_of(path) for path in paths]
    contexts = contexts_for(kinds)
    with associated(peer, contexts, calling_ae_title=calling_ae_title, tls=tls) as association:
        return [_send(path, peer, association) for path in paths]


def _send(path: Path, peer: PeerSettings, association: Association) -> str:
    ds = as_accepted(dcmread(path), association.accepted_contexts)
    try:
        status = association.send_c_store(ds)
    except (ValueError, RuntimeError) as error:
        raise DeliveryError(
            f"{peer.name} ended the association before everything was sent. Check its log."
        ) from error
    require_success(status, peer)
    return str(ds.SOPInstanceUID)


def kind_of(path: Path) -> tuple[str, str]:
    """(SOP Class UID, Transfer Syntax UID) of a file; raises `DeliveryError` if it is no DICOM."""
    try:
        meta = read_file_meta_info(path)
    except (OSError, InvalidDicomError) as error:
        raise DeliveryError(
            f"{path.name} cannot be read as DICOM and was not sent; write it again."
        ) from error
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)


def reference_to(path: Path) -> Reference:
    """What a storage commitment names of a file."""
    meta = read_file_meta_info(path)
    return Reference(str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID))


def require_success(status: Any, peer: PeerSettings) -> None:
    """Only 0x0000 is success; an empty answer is a failure (the peer went away)."""
    code = getattr(status, "Status", None)
    if code is None:
        raise DeliveryError(f"{peer.name} gave no answer; it may have ended the association.")
    if code != StoreStatus.SUCCESS:
        raise DeliveryError(
            f"{peer.name} answered 0x{code:04X} instead of 0x0000. The object stays queued."
        )
