"""Accounts of the review page as rows; how one logs in is the review room's business."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core import audit
from core.database import reading, writing
from core.errors import AccountError
from core.tables import account, account_role, role
from core.tables import audit as trail

TOUR_ENDED = "account.tour_ended"


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What is known of an account besides its password."""

    username: str
    display_name: str
    roles: tuple[str, ...]
    active: bool
    one_time_password: bool
    last_login_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made; `digest` is of its password."""

    username: str
    digest: str
    roles: frozenset[str]
    one_time: bool
    welcomed: bool


class AccountStore:
    """Accounts and their changes; each change is one transaction with its audit.

    A new `fs_uniquifier` ends every session of an account at its next request.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def all(self) -> list[AccountFacts]:
        """Every account, in order of their names."""
        of_account = (
            sa.select(account_role.c.account_id, role.c.name)
            .join(role, role.c.id == account_role.c.role_id)
            .order_by(role.c.name)
        )
        with reading(self._engine) as connection:
            roles: dict[int, list[str]] = {}
            for account_id, name in connection.execute(of_account):
                roles.setdefault(account_id, []).append(name)
            rows = connection.execute(sa.select(account).order_by(account.c.username)).mappings()
            return [
                AccountFacts(
                    username=row["username"],
                    display_name=row["display_name"],
                    roles=tuple(roles.get(row["id"], ())),
                    active=row["active"],
                    one_time_password=row["one_time_password"],
                    last_login_at=row["last_login_at"],
                )
                for row in rows
            ]

    def names_with(self, roles: Collection[str]) -> list[str]:
        """Names of the active accounts with one of these roles, in order."""
        with reading(self._engine) as connection:
            return _names_with(connection, roles)

    def add(self, new: NewAccount, *, who: str, now: datetime) -> None:
        """Make an active account. Raises `AccountError` where the name is taken."""
        with writing(self._engine) as connection:
            same = sa.func.lower(account.c.username) == new.username.lower()
            taken = sa.select(account.c.id).where(same)
            if connection.execute(taken).first() is not None:
                raise AccountError(
                    f"There is already an account {new.username!r}. Choose another name."
                )
            made = connection.execute(
                sa.insert(account).values(
                    username=new.username,
                    # The library's tables want an address; ours is never written to.
                    email=f"{uuid.uuid4().hex}@recontour.invalid",
                    password=new.digest,
                    active=True,
                    fs_uniquifier=uuid.uuid4().hex,
                    one_time_password=new.one_time,
                    welcomed=new.welcomed,
                )
            )
            (account_id,) = made.inserted_primary_key or (None,)
            _give(connection, account_id, new.roles)
            roles = sorted(new.roles)
            _audit(connection, new.username, "account.created", who, now, before=None, after=roles)

    def set_roles(
        self, username: str, roles: Collection[str], *, admin: str, who: str, now: datetime
    ) -> None:
        """Change what an account may do. Raises `AccountError` for the last active `admin`."""
        with writing(self._engine) as connection:
            found = _find(connection, username)
            if admin not in roles:
                _require_another(connection, username, admin)
            before = list(connection.scalars(_role_names(found.id)))
            connection.execute(sa.delete(account_role).where(account_role.c.account_id == found.id))
            _give(connection, found.id, roles)
            _audit(
                connection, username, "account.roles", who, now, before=before, after=sorted(roles)
            )

    def set_active(
        self, username: str, *, active: bool, admin: str, who: str, now: datetime
    ) -> None:
        """Let an account in, or keep it out from now on; raises `AccountError` where it cannot be.

        Nobody keeps himself out, and the last active `admin` stays.
        """
        with writing(self._engine) as connection:
            before = _find(connection, username).active
            if not active:
                if username == who:
                    raise AccountError(
                        "You cannot deactivate your own account. Ask another administrator."
                    )
                _require_another(connection, username, admin)
            _update(connection, username, active=active, fs_uniquifier=uuid.uuid4().hex)
            event = "account.reactivated" if active else "account.deactivated"
            _audit(connection, username, event, who, now, before=before, after=active)

    def set_password(
        self, username: str, digest: str, *, one_time: bool, who: str, now: datetime
    ) -> str:
        """Change the password; every session ends but one that takes on the new uniquifier.

        The audit says whether it was and is to be used once.
        """
        renewed = uuid.uuid4().hex
        with writing(self._engine) as connection:
            before = _find(connection, username).one_time_password
            _update(
                connection,
                username,
                password=digest,
                one_time_password=one_time,
                fs_uniquifier=renewed,
            )
            event = "account.password_reset" if one_time else "account.password_changed"
            _audit(connection, username, event, who, now, before=before, after=one_time)
        return renewed

    def set_display_name(self, username: str, display_name: str, *, now: datetime) -> None:
        """How an account wants to be called on the pages."""
        with writing(self._engine) as connection:
            before = _find(connection, username).display_name
            _update(connection, username, display_name=display_name)
            _audit(
                connection,
                username,
                "account.renamed",
                username,
                now,
                before=before,
                after=display_name,
            )

    def set_welcomed(self, username: str) -> None:
        """The account has seen the first page, and is not led there again."""
        with writing(self._engine) as connection:
            _update(connection, username, welcomed=True)

    def end_tour(self, username: str, *, now: datetime) -> None:
        """The account has ended the tour of the page, and is not led again."""
        with writing(self._engine) as connection:
            if not _has_toured(connection, username):
                _audit(connection, username, TOUR_ENDED, username, now)

    def has_toured(self, username: str) -> bool:
        """Whether the account ever ended the tour."""
        with reading(self._engine) as connection:
            return _has_toured(connection, username)

    def logged_in(self, username: str, *, now: datetime, **detail: str) -> None:
        """Keep when somebody logged in last; `detail` says how, where not by a password."""
        with writing(self._engine) as connection:
            _update(connection, username, last_login_at=now)
            audit.record(connection, who=username, event="login", now=now, **detail)

    def keys_of(self, username: str) -> dict[str, list[str]]:
        """Keys of the review page by action, where the account has its own."""
        query = sa.select(account.c.own_keys).where(account.c.username == username)
        with reading(self._engine) as connection:
            return dict(connection.scalar(query) or {})

    def set_keys(self, username: str, keys: dict[str, list[str]]) -> None:
        """Keep an account's own keys; an empty table is those the page comes with."""
        with writing(self._engine) as connection:
            _update(connection, username, own_keys=keys)


def _has_toured(connection: sa.Connection, username: str) -> bool:
    query = sa.select(trail.c.id).where(trail.c.who == username, trail.c.event == TOUR_ENDED)
    return connection.execute(query.limit(1)).first() is not None


def _find(connection: sa.Connection, username: str) -> sa.Row[Any]:
    found = connection.execute(sa.select(account).where(account.c.username == username)).first()
    if found is None:
        raise AccountError(f"There is no account {username!r}. The page Users lists them all.")
    return found


def _names_with(connection: sa.Connection, roles: Collection[str]) -> list[str]:
    query = (
        sa.select(account.c.username)
        .join(account_role, account_role.c.account_id == account.c.id)
        .join(role, role.c.id == account_role.c.role_id)
        .where(account.c.active, role.c.name.in_(list(roles)))
        .distinct()
        .order_by(account.c.username)
    )
    return list(connection.scalars(query))


def _require_another(connection: sa.Connection, username: str, admin: str) -> None:
    if _names_with(connection, [admin]) == [username]:
        raise AccountError(
            f"{username!r} is the last active administrator and must stay one. Make another "
            "account an administrator first."
        )


def _role_names(account_id: int) -> sa.Select[tuple[str]]:
    return (
        sa.select(role.c.name)
        .join(account_role, account_role.c.role_id == role.c.id)
        .where(account_role.c.account_id == account_id)
        .order_by(role.c.name)
    )


def _give(connection: sa.Connection, account_id: int | None, roles: Collection[str]) -> None:
    for name in sorted(roles):
        role_id = connection.scalar(sa.select(role.c.id).where(role.c.name == name))
        if role_id is None:
            made = connection.execute(sa.insert(role).values(name=name, description=""))
            (role_id,) = made.inserted_primary_key or (None,)
        connection.execute(sa.insert(account_role).values(account_id=account_id, role_id=role_id))


def _update(connection: sa.Connection, username: str, **values: Any) -> None:
    connection.execute(sa.update(account).where(account.c.username == username).values(**values))


def _audit(
    connection: sa.Connection,
    username: str,
    event: str,
    who: str,
    now: datetime,
    **detail: Any,
) -> None:
    audit.record(connection, who=who, event=event, now=now, account=username, **detail)
