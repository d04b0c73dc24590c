"""C-MOVE and C-GET over what the node holds: which instances, whereto, in which contexts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.association import Association

from core.config import PeerSettings, TlsSettings
from core.errors import DeliveryError
from core.query_store import QueryStore
from core.records import Instance
from dicom_node.network.association import without_delay
from dicom_node.network.query import level_of, scope_of
from dicom_node.network.scu import kind_of
from dicom_node.network.tls import client_arguments
from dicom_node.network.transcode import as_accepted, contexts_for

log = structlog.get_logger()


def wanted_by(identifier: Dataset, query: QueryStore) -> list[Instance]:
    """The instances that a retrieve identifier names; raises `IdentifierError` (PS3.4 C.4.2)."""
    level = level_of(identifier)
    return query.instances(scope_of(identifier, level, complete=True))


def destination_named(ae_title: str | None, peers: Sequence[PeerSettings]) -> PeerSettings | None:
    """The peer with this AE title; nothing goes to anybody who is not in config.yaml."""
    wanted = (ae_title or "").strip()
    return next((peer for peer in peers if peer.ae_title.strip() == wanted), None)


class Refusals:
    """Statuses for C-MOVE requests that are refused before anybody is called.

    pynetdicom takes a status from a C-MOVE handler only once it has opened the association with
    the destination. So the handler names no destination, and the response it sends for that
    (0xA801) gets the status that is right.
    """

    def __init__(self) -> None:
        self._waiting: WeakKeyDictionary[Association, int] = WeakKeyDictionary()

    def refuse(self, association: Association, status: int) -> None:
        """Give the next message on `association` this status."""
        self._waiting[association] = status

    def on_sending(self, event: evt.Event) -> None:
        """Called with every message before it is encoded (EVT_DIMSE_SENT)."""
        status = self._waiting.pop(event.assoc, None)
        if status is not None:
            event.message.command_set.Status = status


class Destination:
    """How pynetdicom reaches a Move Destination, and what that accepts."""

    def __init__(
        self,
        peer: PeerSettings,
        instances: Sequence[Instance],
        folder: Path,
        tls: TlsSettings | None,
    ) -> None:
        self._peer = peer
        self._tls = tls
        self._association: Association | None = None
        self._contexts = contexts_for(_kinds(instances, folder))

    def address(self) -> tuple[str, int, dict[str, Any]]:
        """Address, port and arguments: contexts for every kind that is to be sent."""
        handlers = [(evt.EVT_CONN_OPEN, without_delay), (evt.EVT_ACCEPTED, self._accepted)]
        return (
            self._peer.host,
            self._peer.port,
            {
                "ae_title": self._peer.ae_title,
                "contexts": self._contexts,
                "evt_handlers": handlers,
                "tls_args": client_arguments(self._peer, self._tls),
            },
        )

    def association(self) -> Association:
        """The association that pynetdicom opened."""
        assert self._association is not None  # it asks for instances after that
        return self._association

    def _accepted(self, event: evt.Event) -> None:
        self._association = event.assoc


def outgoing(
    instances: Sequence[Instance], folder: Path, association: Association
) -> Iterator[Dataset]:
    """Data sets as `association` takes them, one at a time.

    In place of one that cannot be sent comes one without meta information: pynetdicom counts it
    as failed and names it in the Failed SOP Instance UID List.
    """
    for instance in instances:
        try:
            ds = dcmread(folder / instance.path)
            yield as_accepted(ds, association.accepted_contexts)
        except Exception as error:  # noqa: BLE001 (a damaged file is one failure, not the end)
            log.warning("retrieve.not_sent", instance=instance.id, kind=type(error).__name__)
            yield _placeholder(instance)


def _placeholder(instance: Instance) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = instance.header.sop_class_uid
    ds.SOPInstanceUID = instance.header.sop_instance_uid
    ds.file_meta = FileMetaDataset()
    return ds


def _kinds(instances: Sequence[Instance], folder: Path) -> list[tuple[str, str]]:
    found = []
    for instance in instances:
        try:
            found.append(kind_of(folder / instance.path))
        except DeliveryError:
            found.append((instance.header.sop_class_uid, str(ExplicitVRLittleEndian)))
    return found
