"""Start and stop the listening AE."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from core.config import DicomSettings, PeerSettings
from dicom_node.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.network import door
from dicom_node.network.access import Access
from dicom_node.network.contexts import (
    PLAIN_SYNTAXES,
    SERVICES,
    STORED,
    TRANSFER_SYNTAXES,
    VERIFICATION,
)
from dicom_node.network.door import Door, Rejection, Request
from dicom_node.network.handlers import Keeper, on_c_echo, on_c_store, on_odd_c_store
from dicom_node.network.messages import Budget, Messages, StoreHandler
from dicom_node.network.services import Services
from dicom_node.network.tls import server_context
from dicom_node.network.wire import WakingQueue, Wire

BACKLOG = 64


def open_listeners(
    settings: DicomSettings,
) -> list[tuple[socket.socket, ssl.SSLContext | None]]:
    """The ports of the AE: the plain one first, then the one that speaks TLS where it is enabled.

    Several processes may listen on what one of them opened. Raises `OSError` where a port is
    taken, `ConfigError` where our certificate cannot be used.
    """
    contexts: list[tuple[int, ssl.SSLContext | None]] = [(settings.port, None)]
    if settings.tls.enabled:
        contexts.append((settings.tls.port, server_context(settings.tls)))
    with contextlib.ExitStack() as opened:
        listeners = [
            (opened.enter_context(_listener(settings.host, port)), context)
            for port, context in contexts
        ]
        opened.pop_all()
    return listeners


@contextmanager
def listening(
    settings: DicomSettings,
    callers: Sequence[PeerSettings],
    keeper: Keeper,
    services: Services | None = None,
    *,
    listeners: Sequence[tuple[socket.socket, ssl.SSLContext | None]] | None = None,
) -> Iterator[int]:
    """Listen while the block runs; yields the bound port (useful when 0 was asked).

    Only `callers` are answered; none of them means nobody. Query, retrieve and storage
    commitment are there where `services` are given. `listeners` from `open_listeners` where
    other processes share them.
    """
    access = Access(callers)
    opened = listeners or open_listeners(settings)
    ae = _application_entity(settings, with_services=services is not None)
    handlers: list[tuple[Any, ...]] = [
        (evt.EVT_C_ECHO, on_c_echo, [access]),
        (evt.EVT_C_STORE, on_odd_c_store),
        *(services.handlers() if services else ()),
    ]
    store = partial(on_c_store, keeper=keeper, access=access)
    receiver = _Receiver(ae, opened[0][0], handlers, settings, access, store)
    guarded = Door(
        opened,
        decide=receiver.decide,
        admit=receiver.admit,
        busy=receiver.associations if settings.receivers > 1 else lambda: 0,
        longest_request_s=_longest_request_s(settings),
    )
    try:
        yield int(opened[0][0].getsockname()[1])
    finally:
        guarded.close()
        for listener, _ in () if listeners else opened:
            listener.close()
        ae.shutdown()


def _longest_request_s(settings: DicomSettings) -> float:
    return min(door.LONGEST_REQUEST_S, settings.network_timeout_s)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def _application_entity(settings: DicomSettings, *, with_services: bool) -> AE:
    ae = AE(ae_title=settings.ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_pdu_size = settings.maximum_pdu_size
    ae.maximum_associations = 10 * settings.maximum_associations  # we count ourselves
    ae.acse_timeout = _longest_request_s(settings)
    ae.dimse_timeout = settings.network_timeout_s
    ae.network_timeout = settings.network_timeout_s
    ae.add_supported_context(VERIFICATION, list(PLAIN_SYNTAXES))
    for sop_class_uid in STORED:
        # With C-GET the caller receives on its own association: it may take the role of the SCP.
        ae.add_supported_context(
            sop_class_uid, list(TRANSFER_SYNTAXES), scu_role=True, scp_role=True
        )
    for service in SERVICES if with_services else ():
        ae.add_supported_context(service, list(PLAIN_SYNTAXES), scu_role=True, scp_role=True)
    return ae


class _Receiver(ThreadedAssociationServer):
    """What pynetdicom's associations belong to; their connections come from the door."""

    def __init__(
        self,
        ae: AE,
        listener: socket.socket,
        handlers: Sequence[tuple[Any, ...]],
        settings: DicomSettings,
        access: Access,
        store: StoreHandler,
    ) -> None:
        self.store = store
        self._listener = listener
        self._settings, self._access = settings, access
        self._alive: dict[Association, str] = {}
        self._alive_lock = threading.Lock()
        self.budget = Budget()
        super().__init__(
            ae,
            listener.getsockname(),
            ae.ae_title,
            ae.supported_contexts,
            evt_handlers=list(handlers),
            request_handler=_AdmittedHandler,
        )

    @property
    def longest_pdu_s(self) -> float:
        return self._settings.network_timeout_s

    def server_bind(self) -> None:
        """Nothing: the door listens."""
        assert self.socket is not None
        self.socket.close()
        self.server_address = self._listener.getsockname()

    def server_activate(self) -> None:
        """Nothing: the door listens."""

    def decide(self, request: Request) -> Rejection | None:
        """Why a request is rejected; None where it is let in."""
        if request.called_ae_title != self._settings.ae_title.strip():
            return door.CALLED_AE_TITLE_NOT_RECOGNIZED
        if not self._access.is_known(request.calling_ae_title, request.address[0]):
            return door.CALLING_AE_TITLE_NOT_RECOGNIZED
        addresses = Counter(self._addresses())
        if (
            addresses.total() >= self._settings.maximum_associations
            or addresses[request.address[0]] >= self._settings.maximum_associations_per_address
        ):
            return door.LOCAL_LIMIT_EXCEEDED
        return None

    def admit(self, request: Request) -> None:
        """Start the association of a request that was let in."""
        self.finish_request(request, request.address)  # type: ignore[arg-type]

    def associations(self) -> int:
        """How many are open."""
        return len(self._addresses())

    def begun(self, association: Association, address: str) -> None:
        with self._alive_lock:
            self._alive[association] = address

    def ended(self, association: Association) -> None:
        with self._alive_lock:
            del self._alive[association]

    def _addresses(self) -> list[str]:
        with self._alive_lock:
            # Released or aborted, its threads need another moment.
            return [
                address
                for association, address in self._alive.items()
                if not (association.is_released or association.is_aborted)
            ]


class _AdmittedHandler(RequestHandler):
    """Starts the association of a connection that the door let in."""

    server: _Receiver

    def setup(self) -> None:
        self._admitted: Request = self.request
        self.request = self._admitted.connected

    def handle(self) -> None:
        association = self._create_association()
        held = contextlib.ExitStack()
        try:
            self._connect(association, held)
            threading.Thread(target=_attend, args=(association, held), daemon=True).start()
        except BaseException:  # no file descriptor or no thread is free
            held.close()
            raise

    def _connect(self, association: Association, held: contextlib.ExitStack) -> None:
        """Put our reading in place of pynetdicom's; `held` gives back what that takes."""
        self.server.begun(association, self._admitted.address[0])
        held.callback(self.server.ended, association)
        wire = Wire(
            association,
            self._admitted.connected,
            first_pdu=self._admitted.pdu,
            longest_pdu_s=self.server.longest_pdu_s,
        )
        held.callback(wire.release)
        dul = association.dul
        dul.event_queue.get_nowait()  # of the transport that is replaced
        dul.socket = wire
        dul.to_provider_queue = WakingQueue(wire)
        dul._run_loop_delay = 0  # noqa: SLF001 (the wire sleeps)
        messages = Messages(association, wire, self.server.budget, self.server.store)
        held.callback(messages.forget)
        messages.take_over()


def _attend(association: Association, held: contextlib.ExitStack) -> None:
    """Run the association; when its threads ended, or did not start, give back what it held."""
    with held:
        association.start()
        association.join()
        association.dul.kill_dul()  # it ended before, unless the association died of an error
        association.dul.join()
