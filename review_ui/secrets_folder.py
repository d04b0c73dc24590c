"""The session key and the password salt: made once, kept where only the owner can read them."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

FOLDER = "secrets"


def secret(data_folder: Path, name: str) -> str:
    """The secret called `name`; 256 random bits, made when it is asked for first.

    Several processes may ask at once: all get the same one.
    """
    path = data_folder / FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        part = path.with_name(f"{name}.{os.getpid()}.{secrets.token_hex(8)}")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # whole or not at all, and the first one wins
        except FileExistsError:
            pass
        finally:
            part.unlink()
    return path.read_text()
