"""TLS with certificates on both sides (PS3.15 B.9 and B.11, BCP 195)."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
from typing import Any

from core import own_certificate
from core.config import PeerSettings, TlsSettings
from core.errors import ConfigError
from core.own_certificate import reason


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """What the TLS port speaks: a caller without a certificate of our authorities is refused.

    Raises `ConfigError` where a file is missing, is not what it should be, or where others may
    read the private key.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, settings)
    context.num_tickets = 0  # nobody resumes; each association proves itself anew
    return context


def client_arguments(
    peer: PeerSettings, settings: TlsSettings | None
) -> tuple[ssl.SSLContext, str] | None:
    """What pynetdicom's `tls_args` take to call `peer`; None where it does not speak TLS.

    The peer's certificate must come from our authorities. Where it names hosts (DNS names or IP
    addresses in its Subject Alternative Name), `peer.host` must be one of them; many certificates
    of DICOM devices name none. Raises `ConfigError` as `server_context` does.
    """
    if not peer.tls:
        return None
    if settings is None:
        raise ConfigError(
            f"{peer.name} speaks TLS; give the configuration that names our certificate."
        )
    context = _context(ssl.PROTOCOL_TLS_CLIENT, settings)
    context.sslsocket_class = _CallingSocket
    return context, peer.host


def failure_of(arguments: tuple[ssl.SSLContext, str] | None) -> str:
    """Why the handshake failed; empty where it did not, or was not tried."""
    return getattr(arguments[0], "failure", "") if arguments else ""


def _context(protocol: int, settings: TlsSettings) -> ssl.SSLContext:
    own_certificate.require_file("dicom.tls.authorities", settings.authorities)
    context = own_certificate.modern_context(protocol)
    context.check_hostname = False  # see _CallingSocket
    context.verify_mode = ssl.CERT_REQUIRED
    own_certificate.load(context, "dicom.tls", settings.certificate, settings.private_key)
    try:
        context.load_verify_locations(settings.authorities)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"dicom.tls.authorities: {settings.authorities.name} holds no certificate in PEM "
            f"({reason(error)}). Put there who signs the certificates of your peers."
        ) from error
    return context


class _CallingSocket(ssl.SSLSocket):
    """Compares the host we called with the hosts the peer's certificate names, if it names any."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
            self._require_named_host()
        except OSError as error:
            # pynetdicom keeps the reason to itself.
            self.context.failure = reason(error)  # type: ignore[attr-defined]
            self.close()  # pynetdicom forgets to, once the other end has hung up
            raise

    def shutdown(self, how: int) -> None:
        with contextlib.suppress(OSError):  # pynetdicom would not close what the peer has left
            super().shutdown(how)

    def _require_named_host(self) -> None:
        found = self.getpeercert() or {}
        named = [
            (kind, value)
            for kind, value in _subject_alternative_names(found)
            if kind in {"DNS", "IP Address"}
        ]
        called = self.server_hostname or ""
        if named and not any(_is_for(called, kind, value) for kind, value in named):
            names = ", ".join(value for _, value in named)
            raise ssl.SSLCertVerificationError(f"its certificate is for {names}, not for {called}")


def _subject_alternative_names(certificate: Any) -> tuple[tuple[str, str], ...]:
    names: tuple[tuple[str, str], ...] = certificate.get("subjectAltName", ())
    return names


def _is_for(host: str, kind: str, value: str) -> bool:
    if kind == "IP Address":
        try:
            return ipaddress.ip_address(host) == ipaddress.ip_address(value.strip())
        except ValueError:
            return False
    host, value = host.casefold().rstrip("."), value.casefold().rstrip(".")
    if value.startswith("*."):  # stands for one label (RFC 6125 6.4.3)
        return value[2:] == host.partition(".")[2] != ""
    return host == value
