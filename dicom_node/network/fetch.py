"""Finding and fetching what was not pushed: C-FIND, C-MOVE and C-GET to a peer (study root)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydicom import Dataset
from pynetdicom import build_role, evt
from pynetdicom.presentation import PresentationContext, build_context

from core.config import PeerSettings, TlsSettings
from core.errors import DeliveryError
from core.query_store import Level
from dicom_node.network.association import associated
from dicom_node.network.contexts import (
    PLAIN_SYNTAXES,
    STORED,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    TRANSFER_SYNTAXES,
)
from dicom_node.network.handlers import Keeper, keep_sent
from dicom_node.network.status import QueryStatus

# A peer that answers a query with more than this is asked something narrower.
MOST_ANSWERS = 1_000

_PENDING = {QueryStatus.PENDING, 0xFF01}


@dataclass(frozen=True, slots=True)
class Ourselves:
    """Who calls: our AE title, and our side of TLS."""

    ae_title: str
    tls: TlsSettings | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of a retrieve: sub-operations that went well and that did not, and the status."""

    completed: int
    failed: int
    status: int


def find(
    peer: PeerSettings, level: Level, keys: Mapping[str, str], *, ours: Ourselves
) -> list[Dataset]:
    """Matches of a C-FIND; an empty key asks for its value.

    Raises `DeliveryError` when `peer` does not answer, or not with Success in the end.
    """
    contexts = [build_context(STUDY_ROOT_FIND, list(PLAIN_SYNTAXES))]
    matches: list[Dataset] = []
    with associated(peer, contexts, calling_ae_title=ours.ae_title, tls=ours.tls) as association:
        for status, match in association.send_c_find(_identifier(level, keys), STUDY_ROOT_FIND):
            code = _code(status, peer)
            if code in _PENDING and match is not None:
                matches.append(match)
            elif code != QueryStatus.SUCCESS:
                raise DeliveryError(
                    f"{peer.name} answered the query with 0x{code:04X} instead of 0x0000. Check "
                    "that it lets us query, and that it knows this level and these keys."
                )
            if len(matches) > MOST_ANSWERS:
                association.abort()
                raise DeliveryError(
                    f"{peer.name} answers with more than {MOST_ANSWERS} matches; ask for less."
                )
    return matches


def move(
    peer: PeerSettings, level: Level, keys: Mapping[str, str], *, to: str, ours: Ourselves
) -> Fetched:
    """Have `peer` send instances to the AE `to` (C-MOVE); it must know that AE's address."""
    contexts = [build_context(STUDY_ROOT_MOVE, list(PLAIN_SYNTAXES))]
    with associated(peer, contexts, calling_ae_title=ours.ae_title, tls=ours.tls) as association:
        answers = association.send_c_move(_identifier(level, keys), to, STUDY_ROOT_MOVE)
        return _last([status for status, _ in answers], peer)


def get(
    peer: PeerSettings, level: Level, keys: Mapping[str, str], keeper: Keeper, *, ours: Ourselves
) -> Fetched:
    """Have `peer` send instances on this association (C-GET); each is kept by `keeper`."""
    with associated(
        peer,
        _get_contexts(),
        calling_ae_title=ours.ae_title,
        tls=ours.tls,
        roles=[build_role(sop_class, scp_role=True) for sop_class in STORED],
        handlers=[(evt.EVT_C_STORE, keep_sent, [keeper])],
    ) as association:
        answers = association.send_c_get(_identifier(level, keys), STUDY_ROOT_GET)
        return _last([status for status, _ in answers], peer)


def _get_contexts() -> list[PresentationContext]:
    # One for each syntax: an instance comes as its owner keeps it, not decompressed on the way.
    stored = [build_context(kind, [syntax]) for kind in STORED for syntax in TRANSFER_SYNTAXES]
    return [build_context(STUDY_ROOT_GET, list(PLAIN_SYNTAXES)), *stored]


def _identifier(level: Level, keys: Mapping[str, str]) -> Dataset:
    ds = Dataset()
    if not all(value.isascii() for value in keys.values()):
        ds.SpecificCharacterSet = "ISO_IR 192"
    ds.QueryRetrieveLevel = str(level)
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


def _code(status: Dataset, peer: PeerSettings) -> int:
    code = getattr(status, "Status", None)
    if code is None:
        raise DeliveryError(f"{peer.name} gave no answer; it may not know our AE title.")
    return int(code)


def _last(statuses: list[Dataset], peer: PeerSettings) -> Fetched:
    last = statuses[-1] if statuses else Dataset()
    return Fetched(
        completed=int(last.get("NumberOfCompletedSuboperations") or 0),
        failed=int(last.get("NumberOfFailedSuboperations") or 0),
        status=_code(last, peer),
    )
