"""Accounts for tests."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Flask

from core.store import Store
from core.tables import account, account_role, role
from review_ui.accounts import create_user
from review_ui.roles import ROLES
from tests.support.review_case import PASSWORD


def create_all_rounder(app: Flask, store: Store, name: str) -> None:
    """An account with every role there is."""
    for each in ROLES:  # roles come with the first account that has them
        create_user(app, f"{name}-{each}", PASSWORD, each)
    create_user(app, name, PASSWORD)
    with store.engine.begin() as connection:
        who = connection.scalar(sa.select(account.c.id).where(account.c.username == name))
        connection.execute(sa.delete(account_role).where(account_role.c.account_id == who))
        ids = connection.scalars(sa.select(role.c.id)).all()
        rows = [{"account_id": who, "role_id": one} for one in ids]
        connection.execute(sa.insert(account_role), rows)
