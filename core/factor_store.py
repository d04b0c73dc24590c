"""The second factor of accounts; each change is one transaction with its audit."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit
from core.database import reading, writing
from core.errors import AccountError, TransitionError
from core.tables import account


class FactorStore:
    """Secrets come and go encrypted: nothing here can read them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def on(self) -> set[str]:
        """Names of the accounts that have one."""
        query = sa.select(account.c.username).where(account.c.tf_totp_secret.is_not(None))
        with reading(self._engine) as connection:
            return set(connection.scalars(query))

    def turn_on(
        self, username: str, method: str, secret: str, *, replaces: bool, now: datetime
    ) -> str:
        """From now on a login takes a code of this secret; every session and login begun ends.

        Returns the uniquifier that a session must carry from now on. Raises `TransitionError`
        where there is a secret that this one must not replace.
        """
        mine = account.c.username == username
        if not replaces:
            mine &= account.c.tf_totp_secret.is_(None)
        values: dict[str, Any] = {"tf_primary_method": method, "tf_totp_secret": secret}
        values |= {"mf_recovery_codes": sa.null(), "fs_uniquifier": uuid.uuid4().hex}
        with writing(self._engine) as connection:
            before = _has_one(connection, username)
            if not connection.execute(sa.update(account).where(mine).values(**values)).rowcount:
                raise TransitionError("The second factor was turned on meanwhile. Log in again.")
            audit.record(
                connection,
                who=username,
                event="account.second_factor_on",
                now=now,
                account=username,
                before=before,
                after=True,
            )
        return str(values["fs_uniquifier"])

    def turn_off(self, username: str, *, who: str, now: datetime) -> None:
        """A login takes no code; where somebody else turns it off, every session ends."""
        values: dict[str, Any] = dict.fromkeys(
            ("tf_primary_method", "tf_totp_secret", "mf_recovery_codes"), sa.null()
        )
        if who != username:
            values["fs_uniquifier"] = uuid.uuid4().hex
        with writing(self._engine) as connection:
            before = _has_one(connection, username)
            _change(connection, username, values)
            audit.record(
                connection,
                who=who,
                event="account.second_factor_off"
                if who == username
                else "account.second_factor_reset",
                now=now,
                account=username,
                before=before,
                after=False,
            )

    def set_recovery_codes(self, username: str, codes: list[str], *, now: datetime) -> None:
        """Codes that are each taken once instead of one from the authenticator."""
        with writing(self._engine) as connection:
            before = len(_codes(connection, username))
            _change(connection, username, {"mf_recovery_codes": codes})
            audit.record(
                connection,
                who=username,
                event="account.recovery_codes_made",
                now=now,
                account=username,
                before=before,
                after=len(codes),
            )

    def use_recovery_code(self, username: str, code: str, *, now: datetime) -> bool:
        """Take a code, for good; False where somebody took it meanwhile."""
        with writing(self._engine) as connection:
            mine = account.c.username == username
            left = _codes(connection, username)
            if code not in left:
                return False
            left = [one for one in left if one != code]
            connection.execute(sa.update(account).where(mine).values(mf_recovery_codes=left))
            audit.record(
                connection,
                who=username,
                event="account.recovery_code_used",
                now=now,
                account=username,
                before=len(left) + 1,
                after=len(left),
            )
            return True

    def last_step(self, username: str) -> int | None:
        """Time step of the last code that was taken."""
        query = sa.select(account.c.tf_last_step).where(account.c.username == username)
        with reading(self._engine) as connection:
            return connection.scalar(query)

    def use_step(self, username: str, step: int) -> bool:
        """Take the code of a time step; False where it, or a later one, was taken before."""
        earlier = account.c.tf_last_step.is_(None) | (account.c.tf_last_step < step)
        with writing(self._engine) as connection:
            taken = sa.update(account).where(account.c.username == username, earlier)
            return connection.execute(taken.values(tf_last_step=step)).rowcount == 1


def _has_one(connection: sa.Connection, username: str) -> bool:
    secret = sa.select(account.c.tf_totp_secret).where(account.c.username == username)
    return connection.scalar(secret) is not None


def _codes(connection: sa.Connection, username: str) -> list[str]:
    codes = sa.select(account.c.mf_recovery_codes).where(account.c.username == username)
    return connection.scalar(codes) or []


def _change(connection: sa.Connection, username: str, values: dict[str, Any]) -> None:
    mine = sa.update(account).where(account.c.username == username).values(**values)
    if not connection.execute(mine).rowcount:
        raise AccountError(f"There is no account {username!r}. The page Users lists all.")
