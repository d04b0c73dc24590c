"""Both ends of an association, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RTStructureSetStorage,
)
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ

from core.config import PeerSettings, Settings
from core.store import Store
from dicom_node.network.inbox import Inbox
from dicom_node.network.scp import listening

PLAIN = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]


def _note_rejection(event: evt.Event) -> None:
    if isinstance(event.pdu, A_ASSOCIATE_RJ):
        event.assoc.is_rejected = True


# A quick rejection is taken for an abort by pynetdicom, now and then.
NOTES_REJECTION = (evt.EVT_PDU_RECV, _note_rejection)


@dataclass(frozen=True)
class Node:
    """A node that listens on `port`."""

    port: int
    settings: Settings
    store: Store
    inbox: Inbox

    @property
    def peer(self) -> PeerSettings:
        return peer_at(self.port, self.settings.dicom.ae_title)

    def files(self) -> list[Path]:
        """All files of the instance store, with what a crash would leave."""
        return sorted(
            f for f in (self.settings.data_folder / "instances").rglob("*") if f.is_file()
        )


@contextmanager
def listening_node(settings: Settings, store: Store, inbox: Inbox) -> Iterator[Node]:
    with listening(settings.dicom, settings.peers, inbox) as port:
        yield Node(port, settings, store, inbox)


def peer_at(port: int, ae_title: str = "PEER") -> PeerSettings:
    return PeerSettings(
        name="TPS",
        ae_title=ae_title,
        host="127.0.0.1",
        port=port,
    )


@contextmanager
def associated(
    node: Node,
    *,
    calling: str = "TPS",
    called: str = "RECONTOUR",
    sop_classes: Sequence[str] = (CTImageStorage,),
    transfer_syntaxes: Sequence[str] = tuple(PLAIN),
) -> Iterator[Association]:
    """An association with the node, as a TPS would open it."""
    ae = AE(ae_title=calling)
    contexts = [build_context(sop_class, list(transfer_syntaxes)) for sop_class in sop_classes]
    association = ae.associate(
        "127.0.0.1",
        node.port,
        contexts=contexts,
        ae_title=called,
        evt_handlers=[NOTES_REJECTION],
    )
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def stored(association: Association, ds: Dataset) -> int | None:
    """The status the peer answers a C-STORE of `ds` with."""
    return getattr(association.send_c_store(ds), "Status", None)


@contextmanager
def answering(
    handler: Callable[[evt.Event], int], *, sop_class: str = RTStructureSetStorage
) -> Iterator[tuple[int, list[Any]]]:
    """A foreign SCP that answers C-STORE with `handler`; yields its port and what it was sent."""
    received: list[Any] = []

    def on_store(event: evt.Event) -> int:
        received.append(event.dataset)
        return handler(event)

    ae = AE(ae_title="PEER")
    ae.add_supported_context(sop_class, PLAIN)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)]
    )
    assert server is not None
    try:
        yield server.server_address[1], received
    finally:
        server.shutdown()
        ae.shutdown()
