"""Accounts and roles of the review page, and how one logs in.

The one place outside the stores that knows tables: Flask-Security wants mapped classes.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app
from flask_security import (
    RoleMixin,
    Security,
    SQLAlchemySessionUserDatastore,
    UserMixin,
    hash_password,
    user_authenticated,
)
from flask_security.forms import LoginForm
from sqlalchemy.orm import Session, registry, relationship, scoped_session, sessionmaker
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from core import audit
from core.database import writing
from core.errors import AccountError
from core.store import Store
from core.tables import account, account_role, role
from review_ui.roles import PHYSICIAN, ROLES

SHORTEST_PASSWORD = 8
_EXTENSION = "recontour-accounts"
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Role(RoleMixin):
    """What an account may do (see review_ui.roles)."""

    name: str


class Account(UserMixin):
    """One person. `fs_uniquifier` is in every session; a new one ends them all."""

    username: str


_mapper = registry()
_mapper.map_imperatively(Role, role)
_mapper.map_imperatively(
    Account,
    account,
    properties={"roles": relationship(Role, secondary=account_role, lazy="selectin")},
)


class UsernameLoginForm(LoginForm):
    """Log in by user name: a clinic's accounts are not mail addresses."""

    # WTForms takes None for "without this field".
    email = None  # type: ignore[assignment]
    remember = None  # type: ignore[assignment]
    username = StringField("User name", [DataRequired("User name is missing."), Length(max=64)])

    def validate(self, **kwargs: Any) -> bool:
        """Whether name and password belong together; a refusal is audited."""
        self.ifield = self.username
        self.user = current_app.extensions[_EXTENSION].find_user(username=self.username.data or "")
        accepted = bool(super().validate(**kwargs))
        if not accepted:
            # What was typed may be a password in the wrong field: only known names are kept.
            _audit("login.refused", str(self.user.username) if self.user else "unknown")
        return accepted


def install(app: Flask, store: Store) -> scoped_session[Session]:
    """Give `app` accounts, kept in `store`; returns the session that reads them."""
    session = reading_session(store)
    datastore = SQLAlchemySessionUserDatastore(session, Account, Role)
    Security(app, datastore, login_form=UsernameLoginForm)
    app.extensions[_EXTENSION] = datastore
    app.extensions["recontour-engine"] = store.engine

    @user_authenticated.connect_via(app, weak=False)
    def _on_login(_app: Flask, user: Account, **_: Any) -> None:
        _audit("login", user.username)

    @app.teardown_appcontext
    def _end(_error: BaseException | None) -> None:
        session.remove()

    return session


def reading_session(store: Store) -> scoped_session[Session]:
    """A session that never takes SQLite's write lock.

    Every request reads its account; with BEGIN IMMEDIATE they would queue up behind each other,
    and a request that writes would wait for itself.
    """
    engine = store.engine.execution_options(sqlite_begin="BEGIN DEFERRED")
    return scoped_session(sessionmaker(bind=engine, expire_on_commit=False))


def create_user(app: Flask, username: str, password: str, role_name: str = PHYSICIAN) -> None:
    """Make an account. Raises `AccountError` when the name is taken or a value is not allowed."""
    _require_valid(username, password, role_name)
    engine: sa.Engine = app.extensions["recontour-engine"]
    with app.app_context():
        digest = hash_password(password)
    now = datetime.now(UTC)
    with Session(engine, expire_on_commit=False) as session, session.begin():
        found = session.scalar(sa.select(Account).where(account.c.username == username))
        if found is not None:
            raise AccountError(f"There is already an account {username!r}. Choose another name.")
        granted = session.scalar(sa.select(Role).where(role.c.name == role_name))
        made = Account(
            username=username,
            # The library's tables want an address; ours is never written to.
            email=f"{uuid.uuid4().hex}@recontour.invalid",
            password=digest,
            active=True,
            fs_uniquifier=uuid.uuid4().hex,
            roles=[granted or Role(name=role_name, description="")],
        )
        session.add(made)
        audit.record(
            session.connection(), who=username, event="account.created", now=now, role=role_name
        )


def set_password(app: Flask, username: str, password: str) -> None:
    """Give an account another password; every session it has ends.

    Raises `AccountError` when there is no such account or the password is too short.
    """
    if not user_exists(app, username):
        raise AccountError(f"There is no account {username!r}. Make it with: recontour user add.")
    _require_valid(username, password, PHYSICIAN)
    engine: sa.Engine = app.extensions["recontour-engine"]
    with app.app_context():
        digest = hash_password(password)
    with writing(engine) as connection:
        connection.execute(
            sa.update(account)
            .where(account.c.username == username)
            .values(password=digest, fs_uniquifier=uuid.uuid4().hex)
        )
        now = datetime.now(UTC)
        audit.record(connection, who=username, event="account.password_changed", now=now)


def user_exists(app: Flask, username: str) -> bool:
    """Whether there is an account of this name."""
    engine: sa.Engine = app.extensions["recontour-engine"]
    with Session(engine.execution_options(sqlite_begin="BEGIN DEFERRED")) as session:
        return (
            session.scalar(sa.select(account.c.id).where(account.c.username == username))
            is not None
        )


def _require_valid(username: str, password: str, role_name: str) -> None:
    if not _USERNAME.fullmatch(username):
        raise AccountError(
            f"{username!r} cannot be a user name. Use 1 to 64 letters, digits and . _ @ -, "
            "beginning with a letter or digit."
        )
    if len(password) < SHORTEST_PASSWORD:
        raise AccountError(
            f"The password is too short. Use {SHORTEST_PASSWORD} characters or more."
        )
    if role_name not in ROLES:
        raise AccountError(f"There is no role {role_name!r}. Roles are: {', '.join(ROLES)}.")


def _audit(event: str, who: str) -> None:
    engine: sa.Engine = current_app.extensions["recontour-engine"]
    with writing(engine) as connection:
        audit.record(connection, who=who, event=event, now=datetime.now(UTC))
