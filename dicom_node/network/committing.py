"""Storage commitment on the wire: asking a peer, and reporting to one that asked us."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from pydicom import Dataset
from pynetdicom import build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from core.commitments import Commitment
from core.config import PeerSettings, TlsSettings
from core.errors import DeliveryError
from dicom_node.network.association import associated
from dicom_node.network.commitment import ACTION_REQUEST, request_of
from dicom_node.network.contexts import (
    PLAIN_SYNTAXES,
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
)
from dicom_node.network.scu import require_success

log = structlog.get_logger()

# How long an association is kept open for a report on it; most peers open one of their own.
REPORT_ON_SAME_ASSOCIATION_S = 1.0
QUIET_BEFORE_REPORT_S = 0.5

Contents = tuple[int, Dataset]
EventHandler = Callable[[evt.Event], tuple[int, Dataset | None]]


def ask(
    peer: PeerSettings,
    commitment: Commitment,
    on_report: EventHandler,
    *,
    calling_ae_title: str,
    tls: TlsSettings | None = None,
) -> None:
    """Ask `peer` to commit (N-ACTION); returns when it took the request.

    A report that comes on the same association goes to `on_report`. Raises `DeliveryError` where
    the request was not taken.
    """
    reported = threading.Event()

    def on_event(event: evt.Event) -> tuple[int, Dataset | None]:
        answer = on_report(event)
        reported.set()
        return answer

    with associated(
        peer,
        [build_context(STORAGE_COMMITMENT, list(PLAIN_SYNTAXES))],
        calling_ae_title=calling_ae_title,
        tls=tls,
        handlers=[(evt.EVT_N_EVENT_REPORT, on_event)],
    ) as association:
        status, _ = association.send_n_action(
            request_of(commitment),
            ACTION_REQUEST,
            STORAGE_COMMITMENT,
            STORAGE_COMMITMENT_INSTANCE,
        )
        require_success(status, peer)
        if reported.wait(REPORT_ON_SAME_ASSOCIATION_S):
            time.sleep(0.1)  # our answer to the report goes out before the release


def report(
    peer: PeerSettings,
    contents: Contents,
    *,
    calling_ae_title: str,
    tls: TlsSettings | None = None,
) -> None:
    """Report on an association of our own, as SCP of the service (PS3.4 J.3.3.1).

    Raises `DeliveryError` unless `peer` answers 0x0000.
    """
    with associated(
        peer,
        [build_context(STORAGE_COMMITMENT, list(PLAIN_SYNTAXES))],
        calling_ae_title=calling_ae_title,
        tls=tls,
        roles=[build_role(STORAGE_COMMITMENT, scu_role=False, scp_role=True)],
    ) as association:
        require_success(_send(association, contents), peer)


class SameAssociationReports:
    """Reports on the association that asked, where its peer keeps it open and waits.

    A peer that goes on to send is left alone: two requests that cross on one association confuse
    many implementations. Its report then goes out on an association of our own.
    """

    def __init__(self) -> None:
        self._heard: WeakKeyDictionary[Association, float] = WeakKeyDictionary()

    def on_message(self, event: evt.Event) -> None:
        """Remember when an association was last heard (EVT_DIMSE_RECV)."""
        self._heard[event.assoc] = time.monotonic()

    def soon(
        self,
        association: Association,
        contents: Callable[[], Contents],
        when_taken: Callable[[Contents], None],
    ) -> None:
        """Report as soon as our answer to the request is out; `when_taken` if the peer took it."""
        asked = self._heard.get(association, 0.0)
        args = (association, asked, contents, when_taken)
        threading.Thread(target=self._report, args=args, daemon=True).start()

    def _report(
        self,
        association: Association,
        asked: float,
        contents: Callable[[], Contents],
        when_taken: Callable[[Contents], None],
    ) -> None:
        try:
            made = contents()
            time.sleep(QUIET_BEFORE_REPORT_S)
            if not association.is_established or self._heard.get(association, 0.0) != asked:
                return
            status = getattr(_send(association, made), "Status", None)
            if status == 0:
                when_taken(made)
        except Exception as error:  # noqa: BLE001 (the outbox has the row: it goes another way)
            log.info("commitment.not_on_same_association", kind=type(error).__name__)


def _send(association: Association, contents: Contents) -> Any:
    event_type, information = contents
    try:
        status, _ = association.send_n_event_report(
            information,
            event_type,
            STORAGE_COMMITMENT,
            STORAGE_COMMITMENT_INSTANCE,
        )
    except (ValueError, RuntimeError) as error:
        raise DeliveryError("The peer ended the association before our report.") from error
    return status
