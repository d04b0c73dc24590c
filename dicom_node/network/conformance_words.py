"""What the conformance statement says of each service, status and limit of the code's tables.

A status without words here is an error of the build: the statement would be silent about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

from dicom_node.network.contexts import (
    SERVICES,
    STORAGE_COMMITMENT,
    STORED,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
)
from dicom_node.network.status import CommitStatus, FailureReason, QueryStatus, StoreStatus


@dataclass(frozen=True, slots=True)
class Service:
    """A SOP class with the roles the node takes, and the right a peer needs for it."""

    name: str
    sop_class_uid: UID
    as_scu: str
    as_scp: str
    right: str


_MADE_HERE = (RTStructureSetStorage, SegmentationStorage, Comprehensive3DSRStorage)
_RETRIEVED = "answers to C-MOVE and C-GET, `recontour send`"
_KINDS = {
    STORAGE_COMMITMENT: ("Storage Commitment", "of what was delivered", "yes", "commit"),
    STUDY_ROOT_FIND: ("Query/Retrieve", "`recontour fetch`", "yes", "query"),
    STUDY_ROOT_MOVE: ("Query/Retrieve", "`recontour fetch`", "yes", "query"),
    STUDY_ROOT_GET: ("Query/Retrieve", "`recontour fetch`", "yes", "query"),
}


def services() -> list[Service]:
    """Every SOP class of the presentation contexts we accept, in their order."""
    found = [Service("Verification", VERIFICATION, "yes", "yes", "echo")]
    for uid in STORED:
        as_scu = f"deliveries, {_RETRIEVED}" if uid in _MADE_HERE else _RETRIEVED
        found.append(Service("Storage", uid, as_scu, "yes", "store"))
    for uid in SERVICES:
        name, as_scu, as_scp, right = _KINDS[uid]
        found.append(Service(name, uid, as_scu, as_scp, right))
    return found


STORE_WORDS: dict[IntEnum, str] = {
    StoreStatus.SUCCESS: "the bytes and their row are on disk; also for the same object again",
    StoreStatus.NOT_AUTHORIZED: "the peer has no right `store`",
    StoreStatus.OUT_OF_RESOURCES: (
        "less than `disk_reserve_mb` is free, the disk failed, or something unexpected: send again"
    ),
    StoreStatus.DATASET_MISMATCH: "command and data set name different objects",
    StoreStatus.CANNOT_UNDERSTAND: (
        "the data set cannot be read, a UID of type 1 is missing, or one is not a UID"
    ),
}

QUERY_WORDS: dict[IntEnum, str] = {
    QueryStatus.SUCCESS: "all matches, or all instances, were sent",
    QueryStatus.NOT_AUTHORIZED: "the peer has no right `query`",
    QueryStatus.TOO_MANY_MATCHES: "more matches than an answer holds: ask for less",
    QueryStatus.DESTINATION_UNKNOWN: "the move destination is no peer of config.yaml",
    QueryStatus.IDENTIFIER_MISMATCH: (
        "the identifier breaks its information model; Error Comment says how"
    ),
    QueryStatus.UNABLE_TO_PROCESS: "something unexpected; the log says what kind",
    QueryStatus.CANCELLED: "a C-CANCEL was received",
    QueryStatus.PENDING: "a match, or a sub-operation that was done",
}

COMMIT_WORDS: dict[IntEnum, str] = {
    CommitStatus.SUCCESS: "the request is durable, or the report is taken",
    CommitStatus.PROCESSING_FAILURE: "something unexpected: ask again",
    CommitStatus.NO_SUCH_INSTANCE: "another SOP Instance UID than the well-known one",
    CommitStatus.NO_SUCH_EVENT_TYPE: "an event type that PS3.4 J.3.3 does not name",
    CommitStatus.INVALID_ARGUMENT: (
        "no Transaction UID or no references, or a report of a transaction that is not ours"
    ),
    CommitStatus.NO_SUCH_ACTION: "an action type that PS3.4 J.3.2 does not name",
    CommitStatus.NOT_AUTHORIZED: "the peer has no right `commit`",
    CommitStatus.RESOURCE_LIMITATION: "more references than one request may name",
}

REASON_WORDS: dict[IntEnum, str] = {
    FailureReason.PROCESSING_FAILURE: "the file is not there, or not as it was kept",
    FailureReason.NO_SUCH_OBJECT_INSTANCE: "the node does not hold the instance",
    FailureReason.CLASS_INSTANCE_CONFLICT: "the instance is of another SOP class",
    FailureReason.DUPLICATE_TRANSACTION_UID: "the Transaction UID was used for other instances",
    FailureReason.CLASS_NOT_SUPPORTED: "the SOP class is none that is kept",
    FailureReason.RESOURCE_LIMITATION: "no space; ask again",
}
