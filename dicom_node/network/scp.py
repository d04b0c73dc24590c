"""Start and stop the listening AE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pynetdicom import AE, evt

from core.config import DicomSettings, PeerSettings
from dicom_node.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.network.contexts import (
    PLAIN_SYNTAXES,
    SERVICES,
    STORED,
    TRANSFER_SYNTAXES,
    VERIFICATION,
)
from dicom_node.network.handlers import Keeper, on_c_echo, on_c_store
from dicom_node.network.services import Services
from dicom_node.network.socket_guard import on_connection

ACSE_TIMEOUT_S = 15.0


@contextmanager
def listening(
    settings: DicomSettings,
    callers: Sequence[PeerSettings],
    keeper: Keeper,
    services: Services | None = None,
) -> Iterator[int]:
    """Listen while the block runs; yields the bound port (useful when 0 was asked).

    Only the AE titles of `callers` are answered; none of them means nobody. Query, retrieve and
    storage commitment are there where `services` are given.
    """
    ae = AE(ae_title=settings.ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_pdu_size = settings.maximum_pdu_size
    ae.maximum_associations = settings.maximum_associations
    ae.acse_timeout = ACSE_TIMEOUT_S
    ae.dimse_timeout = settings.network_timeout_s
    ae.network_timeout = settings.network_timeout_s
    ae.require_called_aet = True
    ae.require_calling_aet = [peer.ae_title for peer in callers]
    ae.add_supported_context(VERIFICATION)
    for sop_class_uid in STORED:
        # With C-GET the caller receives on its own association: it may take the role of the SCP.
        ae.add_supported_context(
            sop_class_uid, list(TRANSFER_SYNTAXES), scu_role=True, scp_role=True
        )
    for service in SERVICES if services else ():
        ae.add_supported_context(service, list(PLAIN_SYNTAXES), scu_role=True, scp_role=True)
    server = ae.start_server(
        (settings.host, settings.port),
        block=False,
        evt_handlers=[
            (evt.EVT_CONN_OPEN, on_connection, [settings.network_timeout_s]),
            (evt.EVT_C_ECHO, on_c_echo),
            (evt.EVT_C_STORE, on_c_store, [keeper]),
            *(services.handlers() if services else ()),
        ],
    )
    assert server is not None  # start_server(block=False) always returns one
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        ae.shutdown()
