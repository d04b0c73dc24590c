"""The audit, sent to the hospital's own log as it grows: syslog over TLS (RFC 5424, RFC 5425)."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, timedelta

import structlog

from app.jobs import pause_after
from app.room import Room
from core.audit_store import AuditEntry
from core.config import SyslogSettings

log = structlog.get_logger()

AUTHPRIV, WARNING, NOTICE = 10, 4, 5
TIMEOUT_S = 10.0
LONGEST_PAUSE_S = 300.0
# What kind of event PS3.15 A.5.3 calls it, by how our word begins; the first that fits.
CODES = (
    ("login", "110114"),  # User Authentication
    ("user.", "110113"),  # Security Alert: who may what has changed
    ("account.", "110113"),
    ("key.", "110113"),
    ("case.not_shown", "110113"),
    ("audit.", "110101"),  # Audit Log Used
    ("delivery.", "110104"),  # DICOM Instances Transferred
    ("data.exported", "110106"),  # Export
    ("correction.imported", "110107"),  # Import
    ("dicom.fetched", "110107"),
    ("query", "110112"),  # Query
)
INSTANCES_ACCESSED = "110103"


def send_audit(room: Room, sent_id: int) -> str:
    """Send what follows on a row; the store says what came of it, and when the next try is.

    A row counts as sent once the log has ended its side of the connection as well, so it has read
    it. After a crash in between the same rows are sent again: their `id` tells.
    """
    syslog = room.settings.audit.syslog
    entries = room.store.audit_export.after(sent_id)
    if not entries:
        return "nothing to send"
    try:
        _send(entries, syslog)
    except (OSError, ValueError) as error:  # ValueError: a certificate file that is none
        tries = room.store.audit_export.progress(syslog.host).attempts + 1
        pause = timedelta(seconds=pause_after(tries, longest_s=LONGEST_PAUSE_S))
        why = f"The log at {syslog.host}:{syslog.port} does not take it ({type(error).__name__})."
        room.store.audit_export.failed(syslog.host, error=why, next_try_at=room.now() + pause)
        log.warning("audit.not_sent", tries=tries, kind=type(error).__name__)
        return "failed"
    room.store.audit_export.sent(syslog.host, up_to=entries[-1].id, now=room.now())
    return "sent"


def message(entry: AuditEntry, *, host: str) -> bytes:
    """A row as one syslog message, its length before it (RFC 5425 section 4.3)."""
    severity = WARNING if entry.event in {"login.refused", "login.blocked"} else NOTICE
    codes = [code for begins, code in CODES if entry.event.startswith(begins)]
    told = {
        "id": entry.id,
        "who": entry.who,
        "event": entry.event,
        "dcm": (*codes, INSTANCES_ACCESSED)[0],
        "case": entry.case_id,
        "detail": entry.detail,
    }
    at = entry.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    header = f"<{AUTHPRIV * 8 + severity}>1 {at} {host} recontour - {entry.event[:32]} -"
    text = f"{header} {json.dumps(told, sort_keys=True)}".encode()
    return f"{len(text)} ".encode() + text


def _send(entries: Sequence[AuditEntry], syslog: SyslogSettings) -> None:
    trusted = ssl.create_default_context(cafile=syslog.authorities)
    trusted.minimum_version = ssl.TLSVersion.TLSv1_2
    host = socket.gethostname()[:255] or "-"
    with (
        socket.create_connection((syslog.host, syslog.port), timeout=TIMEOUT_S) as plain,
        trusted.wrap_socket(plain, server_hostname=syslog.host) as secure,
    ):
        secure.sendall(b"".join(message(entry, host=host) for entry in entries))
        with contextlib.suppress(ssl.SSLEOFError):  # it hung up without a word, once it had read
            secure.unwrap()
