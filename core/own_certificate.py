"""A certificate and its private key from PEM files, and what is refused of them."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from core.errors import ConfigError

# Of TLS 1.2 only what has forward secrecy and authenticated encryption; of TLS 1.3 all has both.
CIPHERS_OF_TLS_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20"


def modern_context(protocol: int) -> ssl.SSLContext:
    """A context that speaks TLS 1.2 and newer (BCP 195)."""
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS_OF_TLS_1_2)
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def load(context: ssl.SSLContext, section: str, certificate: Path, private_key: Path) -> None:
    """Let `context` show this certificate.

    Raises `ConfigError`, which names the key of `section`, where a file is missing, is not what it
    should be, the two do not belong together, or where others may read the private key.
    """
    require_file(f"{section}.certificate", certificate)
    require_file(f"{section}.private_key", private_key)
    mode = stat.S_IMODE(private_key.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(
            f"{section}.private_key: others may read or change {private_key} (mode "
            f"{mode:04o}). Permit it to the node's account alone: chmod 600."
        )
    try:
        # An encrypted key would make OpenSSL ask at the terminal; an empty pass phrase does not.
        context.load_cert_chain(certificate, private_key, password="")
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"{section}: {certificate.name} and {private_key.name} are not a "
            f"certificate and its private key in PEM ({reason(error)}). Give both, the key not "
            "encrypted, readable by the node's account."
        ) from error


def require_file(key: str, path: Path) -> None:
    """Raise `ConfigError` where there is no file at `path`."""
    if not path.is_file():
        raise ConfigError(f"{key}: there is no file {path}. Put it there, or name another.")


def reason(error: OSError) -> str:
    """What OpenSSL or the system says of a failure, in a few words."""
    said = getattr(error, "verify_message", None) or getattr(error, "reason", None)
    return str(said or error.strerror or error) or type(error).__name__
