"""Secrets that are sent to others: from the environment, or from files that others may not read."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import ConfigError


def sendable_secret(variable: str, file: str) -> str:
    """A secret from the environment, or from a file that only the node's account may read.

    Empty where there is neither. Raises `ConfigError` where it cannot be used.
    """
    if told := os.environ.get(variable, "").strip():
        return _sendable(told, variable)
    if not file:
        return ""
    path = Path(file)
    try:
        mode = path.stat().st_mode
        told = path.read_text("utf-8", errors="replace").strip()
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read ({type(error).__name__}).") from None
    if mode & 0o077:
        raise ConfigError(f"{path.name} may be read by other accounts. Run chmod 600 {path}.")
    return _sendable(told, path.name)


def _sendable(told: str, where: str) -> str:
    if not (told.isascii() and told.isprintable()):
        raise ConfigError(
            f"The secret in {where} cannot be sent: it must be one line of printable ASCII."
        )
    return told
