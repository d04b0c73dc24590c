"""Our certificate, its key, and the authorities we trust."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.checks.finding import Finding, State, fail, ok, warn
from app.page_certificate import PageCertificate
from core.config import Settings, TlsSettings
from core.errors import ConfigError
from dicom_node.network.tls import server_context

_SOON_DAYS = 30


def certificates(settings: Settings, now: datetime | None = None) -> Iterator[Finding]:
    """Findings about TLS, where the node, a peer or the review page speaks it."""
    yield from _of_dicom(settings, now or datetime.now(UTC))
    yield from _of_page(settings, now or datetime.now(UTC))


def _of_page(settings: Settings, now: datetime) -> Iterator[Finding]:
    tls, check = settings.review.tls, "review page certificate"
    if not tls.certificate:
        return
    try:
        PageCertificate(tls)
    except ConfigError as error:
        yield fail(check, str(error), "Until then the review page does not come up.")
        return
    files = Path(tls.certificate), Path(tls.private_key)
    yield _dated(check, *files, now)


def _of_dicom(settings: Settings, now: datetime) -> Iterator[Finding]:
    tls = settings.dicom.tls
    if not tls.enabled and not any(peer.tls for peer in settings.peers):
        yield ok("TLS", "off: nothing is encrypted on the way to peers")
        return
    try:
        context = server_context(tls)
    except ConfigError as error:
        yield fail("certificate", str(error), "Until then the node does not speak TLS.")
        return
    yield ok("private key", f"{tls.private_key.name} fits the certificate, for this account alone")
    yield _dated("certificate", tls.certificate, tls.private_key, now)
    yield _chain(tls)
    for authority in context.get_ca_certs():
        yield _valid_until(f"authority {_name(authority)}", authority, now)


def _dated(check: str, certificate: Path, private_key: Path, now: datetime) -> Finding:
    """Until when our certificate is valid, as a peer that trusts it by itself would see it."""
    shown, why = _shown((certificate, private_key), certificate, partial=True)
    if shown is None:
        return fail(check, f"{certificate.name}: {why}", "Have it renewed.")
    return _valid_until(check, shown, now)


def _chain(tls: TlsSettings) -> Finding:
    shown, why = _shown((tls.certificate, tls.private_key), tls.authorities, partial=False)
    if shown is None:
        return warn(
            "certificate chain",
            f"our certificate does not lead to dicom.tls.authorities ({why})",
            "Right if peers trust another authority for it than we for theirs; else correct one.",
        )
    return ok("certificate chain", "our certificate leads to an authority we trust")


def _valid_until(check: str, certificate: dict[str, Any], now: datetime) -> Finding:
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    days = (end - now).days
    if end < now:
        return fail(check, f"expired on {end:%Y-%m-%d}", "Have it renewed.")
    if days < _SOON_DAYS:
        return warn(check, f"expires in {days} days ({end:%Y-%m-%d})", "Have it renewed.")
    return Finding(check, State.OK, f"valid for {days} days, until {end:%Y-%m-%d}")


def _shown(
    ours: tuple[Path, Path], trusted: Path, *, partial: bool
) -> tuple[dict[str, Any] | None, str]:
    """Our certificate as a peer sees it that trusts `trusted`; None, and why, where it would not.

    A handshake with ourselves, in memory.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*ours)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(trusted)
    if partial:
        client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = client.wrap_bio(to_client, to_server)
    answerer = server.wrap_bio(to_server, to_client, server_side=True)
    try:
        for _ in range(4):
            for side in (caller, answerer):
                _step(side)
    except ssl.SSLCertVerificationError as error:
        return None, error.verify_message
    return caller.getpeercert(), ""


def _step(side: ssl.SSLObject) -> None:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return


def _name(certificate: dict[str, Any]) -> str:
    parts = dict(part for group in certificate.get("subject", ()) for part in group)
    return str(parts.get("commonName") or parts.get("organizationName") or "without a name")
