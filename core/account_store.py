"""Accounts of the review page as rows; how one logs in is the review room's business."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from core.database import reading
from core.tables import account, account_role, role


class AccountStore:
    """Reads accounts."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def names_with(self, roles: Collection[str]) -> list[str]:
        """Names of the active accounts with one of these roles, in order."""
        query = (
            sa.select(account.c.username)
            .join(account_role, account_role.c.account_id == account.c.id)
            .join(role, role.c.id == account_role.c.role_id)
            .where(account.c.active, role.c.name.in_(list(roles)))
            .distinct()
            .order_by(account.c.username)
        )
        with reading(self._engine) as connection:
            return list(connection.scalars(query))
