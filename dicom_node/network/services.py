"""One function per event of query, retrieve and storage commitment. Each answers, none raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from pydicom import Dataset
from pynetdicom import evt

from core.config import PeerSettings, Right, TlsSettings
from core.instance_store import InstanceStore
from core.owed_store import OwedStore
from core.query_store import QueryStore
from core.records import Instance
from dicom_node.network.commitment import (
    EVENT_ALL_COMMITTED,
    CommitmentMessageError,
    Report,
    read_report,
    read_request,
    reasons_against,
    report_of,
    require_request,
)
from dicom_node.network.committing import Contents, SameAssociationReports
from dicom_node.network.handlers import other_end
from dicom_node.network.query import IdentifierError, matches_of
from dicom_node.network.retrieve import (
    Destination,
    Refusals,
    destination_named,
    outgoing,
    wanted_by,
)
from dicom_node.network.status import CommitStatus, QueryStatus

log = structlog.get_logger()

# An answer with more matches ends with 0xA700: nobody takes a part of it for the whole.
MOST_MATCHES = 5_000
# The report on the same association is tried first; from here on the worker sends it.
WORKER_REPORTS_AFTER_S = 5.0

Answer = tuple[int | Dataset, Dataset | None]


@dataclass(frozen=True)
class Services:
    """What the handlers stand on.

    `may` says whether the caller of an event has a right; `take_report` is told what a peer
    answered to a commitment we asked for, and under which AE title, and says whether it is ours.
    """

    ae_title: str
    peers: Sequence[PeerSettings]
    tls: TlsSettings
    folder: Path
    instances: InstanceStore
    query: QueryStore
    owed: OwedStore
    may: Callable[[evt.Event, Right], bool]
    take_report: Callable[[Report, str], bool]
    same_association: SameAssociationReports = field(default_factory=SameAssociationReports)
    refusals: Refusals = field(default_factory=Refusals)

    def handlers(self) -> list[tuple[Any, ...]]:
        """What pynetdicom binds."""
        return [
            (evt.EVT_DIMSE_RECV, self.same_association.on_message),
            (evt.EVT_DIMSE_SENT, self.refusals.on_sending),
            (evt.EVT_C_FIND, on_c_find, [self]),
            (evt.EVT_C_MOVE, on_c_move, [self]),
            (evt.EVT_C_GET, on_c_get, [self]),
            (evt.EVT_N_ACTION, on_n_action, [self]),
            (evt.EVT_N_EVENT_REPORT, on_n_event_report, [self.take_report]),
        ]

    def audited(self, event: evt.Event, what: str, **detail: Any) -> None:
        """Write down who asked for what."""
        self.query.audited(who=other_end(event), event=what, now=datetime.now(UTC), **detail)


def on_c_find(event: evt.Event, services: Services) -> Iterator[Answer]:
    """Every match, then Success (PS3.4 C.4.1)."""
    if not services.may(event, "query"):
        yield QueryStatus.NOT_AUTHORIZED, None
        return
    try:
        services.audited(
            event, "dicom.query", level=str(event.identifier.get("QueryRetrieveLevel"))
        )
        found = matches_of(event.identifier, services.query, retrieve_ae_title=services.ae_title)
        for number, match in enumerate(found):
            if event.is_cancelled:
                yield QueryStatus.CANCELLED, None
                return
            if number == MOST_MATCHES:
                yield QueryStatus.TOO_MANY_MATCHES, None
                return
            yield QueryStatus.PENDING, match
    except Exception as error:
        yield _failed("c_find", error), None


def on_c_get(event: evt.Event, services: Services) -> Iterator[Any]:
    """The instances, over the caller's own association (PS3.4 C.4.3)."""
    instances, refusal = _asked_for(event, services)
    if refusal:
        yield 1  # pynetdicom answers Success to none
        yield refusal, None
        return
    yield len(instances)
    yield from _sent(event, services, instances, lambda: event.assoc, to="")


def on_c_move(event: evt.Event, services: Services) -> Iterator[Any]:
    """The instances, over an association of ours with a peer of config.yaml (PS3.4 C.4.2)."""
    peer = destination_named(event.move_destination, services.peers)
    if peer is None:
        yield None, None  # pynetdicom answers 0xA801
        return
    instances, refusal = _asked_for(event, services)
    if refusal:
        services.refusals.refuse(event.assoc, refusal.Status)
        yield None, None
        return
    destination = Destination(peer, instances, services.folder, services.tls)
    yield destination.address()
    yield len(instances)
    yield from _sent(event, services, instances, destination.association, to=peer.ae_title)


def on_n_action(event: evt.Event, services: Services) -> tuple[int, None]:
    """Owe the caller a report, durably, then say Success (PS3.4 J.3.2)."""
    if not services.may(event, "commit"):
        return CommitStatus.NOT_AUTHORIZED, None
    try:
        owed_id = _owe(event, services.owed)
    except CommitmentMessageError as error:
        return error.status, None
    except Exception as error:
        log.warning("n_action.failed", kind=type(error).__name__)
        return CommitStatus.PROCESSING_FAILURE, None
    _report_soon(event, services, owed_id)
    return CommitStatus.SUCCESS, None


def on_n_event_report(
    event: evt.Event, take_report: Callable[[Report, str], bool]
) -> tuple[int, None]:
    """Take what a peer says of a commitment that we asked for (PS3.4 J.3.3)."""
    try:
        report = read_report(event.event_type, event.event_information)
        ours = take_report(report, other_end(event))
    except CommitmentMessageError as error:
        return error.status, None
    except Exception as error:
        log.warning("n_event_report.failed", kind=type(error).__name__)
        return CommitStatus.PROCESSING_FAILURE, None
    return (CommitStatus.SUCCESS if ours else CommitStatus.INVALID_ARGUMENT), None


def _owe(event: evt.Event, owed: OwedStore) -> str:
    request: Any = event.request
    require_request(event.action_type, request.RequestedSOPInstanceUID)
    transaction_uid, references = read_request(event.action_information)
    now = datetime.now(UTC)
    return owed.owe(
        transaction_uid,
        references,
        calling_ae_title=other_end(event),
        now=now,
        report_at=now + timedelta(seconds=WORKER_REPORTS_AFTER_S),
    )


def _report_soon(event: evt.Event, services: Services, owed_id: str) -> None:
    def contents() -> Contents:
        asked = services.owed.get(owed_id)
        reasons = reasons_against(asked, services.instances, services.folder)
        return report_of(asked, reasons, retrieve_ae_title=services.ae_title)

    def taken(made: Contents) -> None:
        event_type, information = made
        whole = event_type == EVENT_ALL_COMMITTED
        failed = 0 if whole else len(information.FailedSOPSequence)
        services.owed.reported(owed_id, failed=failed, now=datetime.now(UTC))

    services.same_association.soon(event.assoc, contents, taken)


def _asked_for(event: evt.Event, services: Services) -> tuple[list[Instance], Dataset | None]:
    """The instances, or the status of a refusal."""
    if not services.may(event, "query"):
        return [], _status(QueryStatus.NOT_AUTHORIZED)
    try:
        return wanted_by(event.identifier, services.query), None
    except Exception as error:
        return [], _failed("retrieve", error)


def _sent(
    event: evt.Event,
    services: Services,
    instances: Sequence[Instance],
    association: Callable[[], Any],
    *,
    to: str,
) -> Iterator[Answer]:
    try:
        studies = sorted({i.header.study_instance_uid for i in instances})
        detail = {"studies": studies, "instances": len(instances), "to": to}
        services.audited(event, "dicom.transfer_begun", **detail)
        for ds in outgoing(instances, services.folder, association()):
            if event.is_cancelled:
                yield QueryStatus.CANCELLED, None
                return
            yield QueryStatus.PENDING, ds
        services.audited(event, "dicom.transferred", **detail)
    except Exception as error:
        yield _failed("retrieve", error), None


def _failed(service: str, error: Exception) -> Dataset:
    if not isinstance(error, IdentifierError):
        log.warning("query.failed", service=service, kind=type(error).__name__)
        return _status(QueryStatus.UNABLE_TO_PROCESS)
    return _status(QueryStatus.IDENTIFIER_MISMATCH, str(error))


def _status(code: QueryStatus, comment: str = "") -> Dataset:
    ds = Dataset()
    ds.Status = int(code)
    if comment:
        ds.ErrorComment = comment[:64]
    return ds
