"""Storage commitment as work: what we owe our callers, what we ask of destinations."""

from __future__ import annotations

from datetime import timedelta

import structlog
from pynetdicom import evt

from app.room import Room
from core.asked_store import ASKED
from core.commitments import Commitment
from core.config import PeerSettings
from core.errors import RecontourError
from core.owed_store import REPORTED
from dicom_node.network import committing
from dicom_node.network.commitment import Report, reasons_against, report_of
from dicom_node.network.retrieve import destination_named
from dicom_node.network.services import on_n_event_report
from dicom_node.network.status import FailureReason

log = structlog.get_logger()

# A destination that took the request has this long to report; then it is asked anew.
UNANSWERED_S = 600.0
# One that did not take it is asked again after this.
UNREACHED_S = 60.0
# So often all is sent and asked once more when a destination does not commit; then people decide.
MOST_ROUNDS = 3
AGAIN_AFTER_S = 30.0
LONGEST_PAUSE_S = 300.0


def report_owed(room: Room, owed_id: str) -> str:
    """Try once to report to who asked us to commit; the row says when the next try is."""
    owed = room.store.owed.get(owed_id)
    if owed.state == REPORTED:
        return REPORTED
    caller = destination_named(owed.peer, room.settings.peers)
    if caller is None:
        _report_later(room, owed, None, f"No peer with the AE title {owed.peer} is in config.yaml.")
        return "failed"
    reasons = reasons_against(owed, room.store.instances, room.settings.data_folder)
    ours = room.settings.dicom.ae_title
    try:
        contents = report_of(owed, reasons, retrieve_ae_title=ours)
        tls = room.settings.dicom.tls
        committing.report(caller, contents, calling_ae_title=ours, tls=tls)
    except RecontourError as error:
        _report_later(room, owed, caller, str(error))
        return "failed"
    failed = sum(reason is not None for reason in reasons)
    room.store.owed.reported(owed_id, failed=failed, now=room.now())
    log.info("commitment.reported", to=caller.name, instances=len(reasons), failed=failed)
    return REPORTED


def ask_to_commit(room: Room, asked_id: str) -> str:
    """Ask a destination once to commit what it accepted; it reports when it likes."""
    anew = room.now() + timedelta(seconds=UNANSWERED_S)
    asked = room.store.asked.asking(asked_id, next_try_at=anew)

    def on_report(event: evt.Event) -> tuple[int, None]:
        return on_n_event_report(event, lambda report, caller: take_report(room, report, caller))

    try:
        destination = room.settings.peer_named(asked.peer)
        ours = room.settings.dicom
        committing.ask(destination, asked, on_report, calling_ae_title=ours.ae_title, tls=ours.tls)
    except RecontourError as error:
        again = room.now() + timedelta(seconds=UNREACHED_S)
        room.store.asked.asking_failed(asked_id, error=str(error), next_try_at=again)
        log.warning("commitment.not_asked", asked=asked_id, reason=str(error))
        return "failed"
    log.info("commitment.asked", asked=asked_id, destination=destination.name)
    return "asked"


def take_report(room: Room, report: Report, ae_title: str) -> bool:
    """Write down what a destination answered; False where the transaction is not ours with it.

    Not committed means: everything is sent and asked once more, at most `MOST_ROUNDS` times.
    """
    asked = room.store.asked.in_transaction(report.transaction_uid)
    if asked is None or not _is(room, asked.peer, ae_title):
        log.warning("commitment.unknown_transaction", transaction_uid=report.transaction_uid)
        return False
    if asked.state != ASKED:
        return True  # the same report again
    reason = _reason_against(asked, report)
    if reason is None:
        room.store.asked.committed(asked.id, now=room.now())
        log.info("commitment.committed", asked=asked.id)
        return True
    again = None
    if asked.attempts + 1 < MOST_ROUNDS:
        pause_s = _doubled(AGAIN_AFTER_S, asked.attempts, longest_s=LONGEST_PAUSE_S)
        again = room.now() + timedelta(seconds=pause_s)
    room.store.asked.refused(asked.id, reason=reason, again_at=again, now=room.now())
    log.warning("commitment.refused", asked=asked.id, reason=reason, again=again is not None)
    return True


def _reason_against(asked: Commitment, report: Report) -> str | None:
    """Why the report does not cover all we asked for; None where it does."""
    safe = report.committed - report.failed.keys()
    missing = [r for r in asked.references if r.sop_instance_uid not in safe]
    if not missing:
        return None
    codes = {report.failed.get(r.sop_instance_uid) for r in missing}
    named = ", ".join(sorted(_in_words(code) for code in codes))
    return f"{asked.peer} did not commit {len(missing)} of {len(asked.references)}: {named}."


def _in_words(code: int | None) -> str:
    if code is None:
        return "its report leaves them out"
    try:
        words = FailureReason(code).name.replace("_", " ").lower()
    except ValueError:
        words = "a reason of its own"
    return f"{words} (0x{code:04X})"


def _is(room: Room, name: str, ae_title: str) -> bool:
    return any(p.name == name and p.ae_title.strip() == ae_title for p in room.settings.peers)


def _report_later(room: Room, owed: Commitment, peer: PeerSettings | None, why: str) -> None:
    first_s = peer.retry_first_s if peer else 2.0
    longest_s = peer.retry_longest_s if peer else LONGEST_PAUSE_S
    pause_s = _doubled(first_s, owed.attempts, longest_s=longest_s)
    again = room.now() + timedelta(seconds=pause_s)
    room.store.owed.report_failed(owed.id, error=why, next_try_at=again)
    log.warning("commitment.not_reported", owed=owed.id, again_in_s=pause_s, reason=why)


def _doubled(first_s: float, tries: int, *, longest_s: float) -> float:
    return float(min(longest_s, first_s * 2.0 ** min(tries, 20)))
