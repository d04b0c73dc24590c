"""Groups: whose cases are whose. A rule puts a case into a group, accounts belong to some."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from core import audit
from core.database import reading, writing
from core.errors import AccountError
from core.people_tables import account_group
from core.rules import FOR_TRAINING
from core.tables import account, case, correction, delivery, observation

Sight = frozenset[str] | None
"""Groups whose cases somebody may see; None: every case."""

EVERYBODY = ""
"""The group of cases whose rule names none."""
UNDECIDED = "(undecided)"
"""Of cases that no rule has decided on: no group of config.yaml can be called like this."""

# What the address of a route may name a case by.
_ID_OF = {
    "case_id": (case, case.c.id),
    "observation_id": (observation, observation.c.case_id),
    "delivery_id": (delivery, delivery.c.case_id),
    "correction_id": (correction, correction.c.case_id),
}
NAMES_A_CASE = frozenset(_ID_OF)


class GroupStore:
    """Who belongs to which groups, and whether a case is among theirs."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def of(self, username: str) -> frozenset[str]:
        """The groups of an account."""
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(_groups_of(username)))

    def of_all(self) -> dict[str, frozenset[str]]:
        """The groups of every account that has some."""
        query = sa.select(account.c.username, account_group.c.name).join(
            account, account.c.id == account_group.c.account_id
        )
        found: dict[str, frozenset[str]] = {}
        with reading(self._engine) as connection:
            for username, name in connection.execute(query):
                found[username] = found.get(username, frozenset()) | {name}
        return found

    def change(self, username: str, groups: Collection[str], *, who: str, now: datetime) -> None:
        """Put an account into these groups alone; audited. Raises `AccountError` for no account."""
        with writing(self._engine) as connection:
            of_account = sa.select(account.c.id).where(account.c.username == username)
            account_id = connection.scalar(of_account)
            if account_id is None:
                raise AccountError(f"There is no account {username!r}. The page Users lists all.")
            before = sorted(connection.scalars(_groups_of(username)))
            mine = account_group.c.account_id == account_id
            connection.execute(sa.delete(account_group).where(mine))
            rows = [{"account_id": account_id, "name": name} for name in sorted(set(groups))]
            if rows:
                connection.execute(sa.insert(account_group), rows)
            audit.record(
                connection,
                who=who,
                event="account.groups",
                now=now,
                account=username,
                before=before,
                after=sorted(set(groups)),
            )

    def of_cases(self) -> frozenset[str]:
        """Every group that a case is in, also those that config.yaml no longer names."""
        query = sa.select(group_of()).distinct()
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(query)) - {EVERYBODY, UNDECIDED}

    def of_case(self, case_id: str) -> str | None:
        """The group of a case, or `EVERYBODY` or `UNDECIDED`; None where there is no such case."""
        with reading(self._engine) as connection:
            return connection.scalar(sa.select(group_of()).where(case.c.id == case_id))

    def sees(self, sight: Sight, name: str, value: str) -> bool:
        """Whether what a route calls `name` (one of `NAMES_A_CASE`) hangs on a case in sight."""
        table, case_id = _ID_OF[name]
        query = (
            sa.select(case.c.id)
            .where(case.c.id == case_id, table.c.id == value, is_seen(sight))
            .limit(1)
        )
        with reading(self._engine) as connection:
            return connection.scalar(query) is not None

    def refused(self, name: str, value: str, *, who: str, now: datetime) -> None:
        """Write down that somebody asked for what is not in sight, whether or not it exists."""
        with writing(self._engine) as connection:
            audit.record(connection, who=who, event="case.not_shown", now=now, **{name: value})


def is_seen(sight: Sight) -> sa.ColumnElement[bool]:
    """Whether a case is in sight."""
    return sa.true() if sight is None else group_of().in_(sight)


def group_of() -> sa.ColumnElement[str]:
    """The group of a case: what its rule said when it decided."""
    rule, group = (case.c.routing[key].as_string() for key in ("rule", "group"))
    undecided = rule.is_(None) | (rule == FOR_TRAINING)
    return sa.case((undecided, UNDECIDED), else_=sa.func.coalesce(group, EVERYBODY))


def _groups_of(username: str) -> sa.Select[tuple[str]]:
    return (
        sa.select(account_group.c.name)
        .join(account, account.c.id == account_group.c.account_id)
        .where(account.c.username == username)
    )
