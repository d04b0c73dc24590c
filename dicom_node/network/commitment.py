"""Storage commitment (PS3.4 Annex J) as data sets: requests, reports, what we answer for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset

from core.commitments import Commitment, Reference
from core.errors import BadUidError, RecontourError
from core.files import require_uid
from core.instance_store import InstanceStore
from core.records import Instance
from dicom_node.network.contexts import STORAGE_COMMITMENT_INSTANCE
from dicom_node.network.inbox import content_digest
from dicom_node.network.status import CommitStatus, FailureReason

ACTION_REQUEST = 1
EVENT_ALL_COMMITTED, EVENT_FAILURES_EXIST = 1, 2

# A request that names more than this is refused: it would have to be kept and looked up.
MOST_REFERENCES = 20_000


class CommitmentMessageError(RecontourError):
    """A storage commitment request or report is not what PS3.4 Annex J requires.

    `status` is how it is answered.
    """

    def __init__(self, message: str, status: CommitStatus = CommitStatus.INVALID_ARGUMENT) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Report:
    """What a storage commitment SCP answered: which instances are safe, which not and why."""

    transaction_uid: str
    committed: frozenset[str]
    failed: Mapping[str, int]


def require_request(action_type: int | None, sop_instance_uid: str | None) -> None:
    """Raise `CommitmentMessageError` unless an N-ACTION asks the service for a commitment."""
    if sop_instance_uid != STORAGE_COMMITMENT_INSTANCE:
        raise CommitmentMessageError(
            f"The service has one SOP Instance UID, {STORAGE_COMMITMENT_INSTANCE} (PS3.4 J.3.5).",
            CommitStatus.NO_SUCH_INSTANCE,
        )
    if action_type != ACTION_REQUEST:
        raise CommitmentMessageError(
            f"Action Type {action_type} is none of PS3.4 Table J.3-1.", CommitStatus.NO_SUCH_ACTION
        )


def read_request(information: Dataset) -> tuple[str, tuple[Reference, ...]]:
    """(Transaction UID, references) of an N-ACTION; raises `CommitmentMessageError`."""
    sequence = information.get("ReferencedSOPSequence") or []
    if len(sequence) > MOST_REFERENCES:
        raise CommitmentMessageError(
            f"More than {MOST_REFERENCES} instances; ask in parts.",
            CommitStatus.RESOURCE_LIMITATION,
        )
    if not sequence:
        raise CommitmentMessageError("The request names no instance (0008,1199).")
    references = tuple(
        Reference(_uid(item, "ReferencedSOPClassUID"), _uid(item, "ReferencedSOPInstanceUID"))
        for item in sequence
    )
    return _uid(information, "TransactionUID"), references


def request_of(commitment: Commitment) -> Dataset:
    """Action Information that asks for a commitment (PS3.4 J.3.2.1.2)."""
    ds = Dataset()
    ds.TransactionUID = commitment.transaction_uid
    ds.ReferencedSOPSequence = [_item(reference) for reference in commitment.references]
    return ds


def read_report(event_type: int | None, information: Dataset) -> Report:
    """An N-EVENT-REPORT as it came; raises `CommitmentMessageError` where it cannot be one."""
    if event_type not in {EVENT_ALL_COMMITTED, EVENT_FAILURES_EXIST}:
        raise CommitmentMessageError(
            f"Event Type {event_type} is none of PS3.4 Table J.3-2.",
            CommitStatus.NO_SUCH_EVENT_TYPE,
        )
    committed = information.get("ReferencedSOPSequence") or []
    failed = information.get("FailedSOPSequence") or []
    return Report(
        transaction_uid=_uid(information, "TransactionUID"),
        committed=frozenset(_uid(item, "ReferencedSOPInstanceUID") for item in committed),
        failed={
            _uid(item, "ReferencedSOPInstanceUID"): int(
                item.get("FailureReason") or FailureReason.PROCESSING_FAILURE
            )
            for item in failed
        },
    )


def report_of(
    commitment: Commitment, reasons: Sequence[FailureReason | None], *, retrieve_ae_title: str
) -> tuple[int, Dataset]:
    """(Event Type, Event Information) that answers a request (PS3.4 J.3.3.1.2).

    `reasons` says of each reference why it is not committed; None where it is.
    """
    ds = Dataset()
    ds.TransactionUID = commitment.transaction_uid
    ds.RetrieveAETitle = retrieve_ae_title
    answered = list(zip(commitment.references, reasons, strict=True))
    safe = [_item(reference) for reference, reason in answered if reason is None]
    if safe:
        ds.ReferencedSOPSequence = safe
    failed = [_item(ref, FailureReason=reason) for ref, reason in answered if reason is not None]
    if not failed:
        return EVENT_ALL_COMMITTED, ds
    ds.FailedSOPSequence = failed
    return EVENT_FAILURES_EXIST, ds


def reasons_against(
    commitment: Commitment, instances: InstanceStore, folder: Path
) -> list[FailureReason | None]:
    """For each reference why the node cannot answer for it; None where it holds it whole.

    The files are read: a commitment means that the sender may delete its own.
    """
    return [
        _reason_against(reference, instances.find(reference.sop_instance_uid), commitment, folder)
        for reference in commitment.references
    ]


def _reason_against(
    reference: Reference, found: Sequence[Instance], commitment: Commitment, folder: Path
) -> FailureReason | None:
    if not found:
        return FailureReason.NO_SUCH_OBJECT_INSTANCE
    # The caller's own object was kept aside: what is in use under this UID is another.
    if any(i.kept_aside and i.calling_ae_title == commitment.peer for i in found):
        return FailureReason.PROCESSING_FAILURE
    in_use = found[0]
    if in_use.kept_aside:
        return FailureReason.PROCESSING_FAILURE
    if in_use.header.sop_class_uid != reference.sop_class_uid:
        return FailureReason.CLASS_INSTANCE_CONFLICT
    return None if _is_whole(in_use, folder) else FailureReason.PROCESSING_FAILURE


def _is_whole(instance: Instance, folder: Path) -> bool:
    try:
        content = (folder / instance.path).read_bytes()
    except OSError:
        return False
    return len(content) == instance.size_bytes and content_digest(content) == instance.sha256


def _item(reference: Reference, **more: Any) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID = reference.sop_class_uid
    ds.ReferencedSOPInstanceUID = reference.sop_instance_uid
    for keyword, value in more.items():
        setattr(ds, keyword, int(value))
    return ds


def _uid(ds: Dataset, keyword: str) -> str:
    found = str(ds.get(keyword) or "").strip(" \0")
    try:
        return require_uid(found, name=keyword)
    except BadUidError as error:
        raise CommitmentMessageError(str(error)) from None
