"""Opening an association with a peer, and saying why it cannot be opened."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from core.config import PeerSettings, TlsSettings
from core.errors import DeliveryError
from dicom_node.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.network.tls import client_arguments, failure_of

TIMEOUT_S = 30.0


@contextmanager
def associated(
    peer: PeerSettings,
    contexts: Sequence[PresentationContext],
    *,
    calling_ae_title: str,
    tls: TlsSettings | None = None,
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    handlers: Sequence[tuple[Any, ...]] = (),
) -> Iterator[Association]:
    """An established association; released when the block ends.

    `tls` is ours, for a peer that speaks it. Raises `DeliveryError` with the reason when `peer`
    does not answer, rejects us or accepts none of `contexts`.
    """
    ae = AE(ae_title=calling_ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = TIMEOUT_S
    reached = _Reached()
    tls_arguments = client_arguments(peer, tls)
    try:
        association = ae.associate(
            peer.host,
            peer.port,
            contexts=list(contexts),
            ae_title=peer.ae_title,
            ext_neg=list(roles),
            evt_handlers=[
                (evt.EVT_CONN_OPEN, reached.note),
                (evt.EVT_PDU_RECV, reached.note_rejection),
                *handlers,
            ],
            tls_args=tls_arguments,
        )
    except OSError as error:  # a host name that does not resolve, among others
        raise DeliveryError(
            f"{peer.name} cannot be reached at {peer.host}:{peer.port} ({error.strerror}). Check "
            "host and port."
        ) from error
    if not association.is_established:
        failure = failure_of(tls_arguments)
        if failure:
            failure = f"no TLS ({failure}). Check the certificates of both, and that it speaks TLS."
        raise DeliveryError(
            f"No association with {peer.name} ({peer.ae_title} at {peer.host}:{peer.port}): "
            f"{failure or _why(association, reached, calling_ae_title)}"
        )
    _keep_answers(association)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def _keep_answers(association: Association) -> None:
    """Give back an answer that pynetdicom's reactor took from whoever waits for it.

    Its `send_*` methods pause the reactor, but on a busy machine one that is just going on counts
    as paused: it then finds the peer's answer, drops it, and the sender waits for its time-out.
    """
    serve_request = association._serve_request  # noqa: SLF001 - no public way

    def serve_or_give_back(msg: Any, context_id: int) -> None:
        asked = not association._reactor_checkpoint.is_set()  # noqa: SLF001 - as above
        if asked and not msg.is_valid_request:
            association.dimse.msg_queue.put((context_id, msg))
        else:
            serve_request(msg, context_id)

    association._serve_request = serve_or_give_back  # type: ignore[method-assign]  # noqa: SLF001


def without_delay(event: evt.Event) -> None:
    """Switch off Nagle's algorithm, which pynetdicom leaves on: it halves the speed of sending."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        with contextlib.suppress(OSError):  # gone already; sending will tell
            transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Reached:
    """Remembers whether somebody took the connection at all, and why they rejected us."""

    def __init__(self) -> None:
        self.somebody = False
        self.rejection = ""

    def note(self, event: evt.Event) -> None:
        """Remember what is at the other end of a connection that opened."""
        without_delay(event)
        transport = event.assoc.dul.socket
        if transport is not None and transport.socket is not None:
            wire = transport.socket
            self.somebody = True
            with contextlib.suppress(OSError):  # somebody who hung up at once
                # On this machine a closed port may be given to the very socket that calls it.
                self.somebody = wire.getsockname() != wire.getpeername()

    def note_rejection(self, event: evt.Event) -> None:
        """Remember an A-ASSOCIATE-RJ.

        Where it is quick, pynetdicom finds the connection closed and says that we aborted.
        """
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            self.rejection = getattr(event.pdu.to_primitive(), "reason_str", "no reason given")


def _why(association: Association, reached: _Reached, calling_ae_title: str) -> str:
    if not reached.somebody:
        return "nobody answers there. Check host and port, and that the peer runs."
    if reached.rejection:
        return (
            f"it rejected us ({reached.rejection}). Check that it knows our AE title "
            f"{calling_ae_title}."
        )
    if association.rejected_contexts:
        return "it accepts none of the services we ask for. Check what it is configured to take."
    return "it ended the association. Check its log, and that it speaks TLS if and only if we do."
