"""DIMSE status codes this node returns (PS3.4 Annexes B, C and J, PS3.7 Annex C)."""

from __future__ import annotations

from enum import IntEnum


class EchoStatus(IntEnum):
    """C-ECHO responses (PS3.7 9.1.5.1.4); it knows no refusal for want of a right."""

    SUCCESS = 0x0000
    SOP_CLASS_NOT_SUPPORTED = 0x0122


class StoreStatus(IntEnum):
    """C-STORE responses (PS3.4 B.2.3, PS3.7 9.1.1.1.9)."""

    SUCCESS = 0x0000
    NOT_AUTHORIZED = 0x0124
    OUT_OF_RESOURCES = 0xA700
    DATASET_MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000


class QueryStatus(IntEnum):
    """C-FIND, C-MOVE and C-GET responses (PS3.4 C.4.1.1.4, C.4.2.1.5, C.4.3.1.4)."""

    SUCCESS = 0x0000
    NOT_AUTHORIZED = 0x0124
    TOO_MANY_MATCHES = 0xA700
    DESTINATION_UNKNOWN = 0xA801
    IDENTIFIER_MISMATCH = 0xA900
    UNABLE_TO_PROCESS = 0xC000
    CANCELLED = 0xFE00
    PENDING = 0xFF00


class CommitStatus(IntEnum):
    """N-ACTION and N-EVENT-REPORT responses of storage commitment (PS3.4 J.3, PS3.7 C.5)."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    NO_SUCH_EVENT_TYPE = 0x0113
    INVALID_ARGUMENT = 0x0115
    NO_SUCH_ACTION = 0x0123
    NOT_AUTHORIZED = 0x0124
    RESOURCE_LIMITATION = 0x0213


class FailureReason(IntEnum):
    """Why an instance is not committed (0008,1197), PS3.3 C.14.1.1."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119
    DUPLICATE_TRANSACTION_UID = 0x0131
    CLASS_NOT_SUPPORTED = 0x0122
    RESOURCE_LIMITATION = 0x0213
