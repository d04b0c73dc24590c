"""Keys of machines: each opens the metrics, and nothing that is about a patient or a person."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime

import sqlalchemy as sa

from core import audit
from core.database import reading, writing
from core.errors import AccountError
from core.people_tables import machine_key

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class KeyStore:
    """Machine keys. Only their digests are kept: a key is shown once, when it is made."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, name: str, *, who: str, now: datetime) -> str:
        """Make a key and return it; audited. Raises `AccountError` where it cannot be named so."""
        if not _NAME.fullmatch(name):
            raise AccountError(
                f"{name!r} cannot name a key. Use 1 to 64 letters, digits and . _ -, beginning "
                "with a letter or digit."
            )
        key = secrets.token_urlsafe(32)  # 256 bits at random: nothing to guess, nothing to salt
        with writing(self._engine) as connection:
            same = sa.select(machine_key.c.name).where(machine_key.c.name == name)
            if connection.execute(same).first() is not None:
                raise AccountError(f"There is already a key {name!r}. Remove it first.")
            row = {"name": name, "digest": _digest(key), "made_at": now}
            connection.execute(sa.insert(machine_key).values(row))
            audit.record(
                connection,
                who=who,
                event="key.added",
                now=now,
                key=name,
                before=False,
                after=True,
            )
        return key

    def remove(self, name: str, *, who: str, now: datetime) -> None:
        """Let a key open nothing from now on; audited. Raises `AccountError` for one unknown."""
        with writing(self._engine) as connection:
            gone = connection.execute(sa.delete(machine_key).where(machine_key.c.name == name))
            if not gone.rowcount:
                raise AccountError(f"There is no key {name!r}. See: recontour key list.")
            audit.record(
                connection,
                who=who,
                event="key.removed",
                now=now,
                key=name,
                before=True,
                after=False,
            )

    def all(self) -> list[tuple[str, datetime]]:
        """Name of every key and since when it is there."""
        query = sa.select(machine_key.c.name, machine_key.c.made_at).order_by(machine_key.c.name)
        with reading(self._engine) as connection:
            return [(row.name, row.made_at) for row in connection.execute(query)]

    def opens(self, key: str) -> bool:
        """Whether this is a key."""
        query = sa.select(machine_key.c.name).where(machine_key.c.digest == _digest(key))
        with reading(self._engine) as connection:
            return connection.execute(query).first() is not None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
