"""TLS with certificates on both sides (PS3.15 B.9 and B.11, BCP 195)."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
import stat
from pathlib import Path
from typing import Any

from core.config import PeerSettings, TlsSettings
from core.errors import ConfigError

# Of TLS 1.2 only what has forward secrecy and authenticated encryption; of TLS 1.3 all has both.
CIPHERS_OF_TLS_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20"


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
    _require_files(settings)
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS_OF_TLS_1_2)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.check_hostname = False  # see _CallingSocket
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        # An encrypted key would make OpenSSL ask at the terminal; an empty pass phrase does not.
        context.load_cert_chain(settings.certificate, settings.private_key, password="")
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"dicom.tls: {settings.certificate.name} and {settings.private_key.name} are not a "
            f"certificate and its private key in PEM ({_reason(error)}). Give both, the key not "
            "encrypted."
        ) from error
    try:
        context.load_verify_locations(settings.authorities)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"dicom.tls.authorities: {settings.authorities.name} holds no certificate in PEM "
            f"({_reason(error)}). Put there who signs the certificates of your peers."
        ) from error
    return context


def _require_files(settings: TlsSettings) -> None:
    for key in ("certificate", "private_key", "authorities"):
        path: Path = getattr(settings, key)
        if not path.is_file():
            raise ConfigError(
                f"dicom.tls.{key}: there is no file {path}. Put it there, or name another."
            )
    mode = stat.S_IMODE(settings.private_key.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(
            f"dicom.tls.private_key: others may read or change {settings.private_key} (mode "
            f"{mode:04o}). Permit it to the node's account alone: chmod 600."
        )


def _reason(error: OSError) -> str:
    said = getattr(error, "verify_message", None) or getattr(error, "reason", None)
    return str(said or error.strerror or error) or type(error).__name__


class _CallingSocket(ssl.SSLSocket):
    """Compares the host we called with the hosts the peer's certificate names, if it names any."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
            self._require_named_host()
        except OSError as error:
            # pynetdicom keeps the reason to itself.
            self.context.failure = _reason(error)  # type: ignore[attr-defined]
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
