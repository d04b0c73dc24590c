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
    give_every_role(store, name)


def give_every_role(store: Store, name: str) -> None:
    """Let an account that is there, and whoever is logged in with it, do everything."""
    with store.engine.begin() as connection:
        who = connection.scalar(sa.select(account.c.id).where(account.c.username == name))
        connection.execute(sa.delete(account_role).where(account_role.c.account_id == who))
        known = set(connection.scalars(sa.select(role.c.name)))
        missing = [{"name": each} for each in ROLES if each not in known]
        if missing:
            connection.execute(sa.insert(role), missing)
        ids = connection.scalars(sa.select(role.c.id)).all()
        rows = [{"account_id": who, "role_id": one} for one in ids]
        connection.execute(sa.insert(account_role), rows)
