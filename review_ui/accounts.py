"""Accounts and roles of the review page, and how one logs in.

The one place outside the stores that knows tables: Flask-Security wants mapped classes.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast

from flask import Flask, current_app, request
from flask import session as session_cookie
from flask_security import (
    RoleMixin,
    Security,
    UserMixin,
    current_user,
    hash_password,
    login_user,
    user_authenticated,
    verify_password,
)
from flask_security.forms import LoginForm
from sqlalchemy.orm import Session, registry, relationship, scoped_session, sessionmaker
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from core import audit
from core.account_store import NewAccount
from core.config import Settings
from core.database import writing
from core.errors import AccountError
from core.store import Store
from core.tables import account, account_role, role
from review_ui import second_factor
from review_ui.context import EXTENSION, Desk
from review_ui.guessing import Guesses, too_many
from review_ui.roles import ADMIN, PHYSICIAN, ROLES

SHORTEST_PASSWORD = 10
FEWEST_DIFFERENT = 5
SESSION_ID = "login"
"""Names one login in its cookie, so that logging out can end it (core.session_store)."""
_PROVED_BY = "proved_by"
CONSOLE = "console"
"""Who made an account on the machine itself, in the audit."""
PROVIDER = "provider"
"""Who made an account that the hospital's provider vouched for, and by what it was proved."""
_RESERVED = frozenset({CONSOLE, PROVIDER, "node", "trainer", "unknown"})
_COMMON = ("password", "passwort", "12345", "qwert", "letmein", "recontour", "welcome", "abc123")
_UNMISTAKABLE = "abcdefghjkmnpqrstuvwxyz23456789"
_EXTENSION = "recontour-accounts"
_STORE = "recontour-account-store"
_GUESSES = "recontour-guesses"
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Role(RoleMixin):
    """What an account may do (see review_ui.roles)."""

    name: str


class Account(UserMixin):
    """One person. `fs_uniquifier` is in every session; a new one ends them all."""

    username: str
    display_name: str
    one_time_password: bool
    welcomed: bool


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
        """Whether name and password belong together; a refusal is audited.

        After too many, nothing is looked at for a while, not even what is right.
        """
        self.ifield = self.username
        name, address = self.username.data or "", request.remote_addr or ""
        tried, now = guesses(), _now()
        if wait := tried.wait(name, address, now=now):
            self.form_errors.append(too_many(wait))
            return False
        self.user = current_app.extensions[_EXTENSION].find_user(username=name)
        if super().validate(**kwargs):
            tried.accept(name, address)
            return True
        # What was typed may be a password in the wrong field: only known names are kept.
        known = str(self.user.username) if self.user else "unknown"
        _audit("login.refused", known, address)
        if tried.refuse(name, address, now=now):
            _audit("login.blocked", known, address)
        return False


def install(app: Flask, store: Store) -> scoped_session[Session]:
    """Give `app` accounts, kept in `store`; returns the session that reads them."""
    session = reading_session(store)
    datastore = second_factor.AccountDatastore(session, Account, Role)
    second_factor.install(app)
    security = Security(
        app,
        datastore,
        login_form=UsernameLoginForm,
        two_factor_setup_form=second_factor.SetupForm,
        two_factor_rescue_form=second_factor.RescueForm,
        two_factor_verify_code_form=second_factor.CodeForm,
        mf_recovery_form=second_factor.RecoveryForm,
        mf_recovery_codes_form=second_factor.CodesForm,
        totp_cls=second_factor.OnceTotp,
    )
    security.want_json(lambda _request: False)  # its pages are for people: one way to answer
    # Scripts are of nobody: no account is looked up for them.
    security.principal.skip_static = True
    app.extensions[_EXTENSION] = datastore
    app.extensions[_STORE] = store
    app.extensions[_GUESSES] = Guesses()

    @user_authenticated.connect_via(app, weak=False)
    def _on_login(_app: Flask, user: Account, authn_via: list[str] | None = None, **_: Any) -> None:
        session_cookie[SESSION_ID] = secrets.token_hex(16)
        how = {"by": PROVIDER} if authn_via == [PROVIDER] else {}
        store.accounts.logged_in(user.username, now=datetime.now(UTC), **how)

    @app.teardown_appcontext
    def _end(_error: BaseException | None) -> None:
        session.remove()

    return session


def log_in_as(username: str) -> bool:
    """Log in who proved elsewhere to be this account; False where none is active.

    Nothing of the session before goes on.
    """
    user = current_app.extensions[_EXTENSION].find_user(username=username)
    if user is None or not user.active:
        return False
    session_cookie.clear()
    session_cookie.permanent = True
    session_cookie[_PROVED_BY] = PROVIDER
    login_user(user, authn_via=[PROVIDER])
    return True


def must_choose_password() -> bool:
    """Whether who is logged in came with a one-time password, which opens nothing else."""
    proved_elsewhere = session_cookie.get(_PROVED_BY) == PROVIDER
    return bool(current_user.one_time_password) and not proved_elsewhere


def guesses() -> Guesses:
    """Refused logins of the last minutes."""
    return cast(Guesses, current_app.extensions[_GUESSES])


def present_password_problem(typed: str) -> str:
    """Why whoever is logged in may not go on with it; empty where it is right.

    Whoever sits at an open page may try as many as at the login, and no more.
    """
    name, address = str(current_user.username), request.remote_addr or ""
    tried, now = guesses(), _now()
    if wait := tried.wait(name, address, now=now):
        return too_many(wait)
    if verify_password(typed, current_user.password):
        tried.accept(name, address)
        return ""
    _audit("login.refused", name, address, on="password change")
    if tried.refuse(name, address, now=now):
        _audit("login.blocked", name, address)
    return "The present password is not right."


def note_refusal(name: str, address: str, **detail: str) -> None:
    """Audit a refused login; only names that are accounts are kept."""
    _audit(
        "login.refused", name if user_exists(current_app, name) else "unknown", address, **detail
    )


def is_username(name: str) -> bool:
    """Whether an account may be called so."""
    return bool(_USERNAME.fullmatch(name))


def reading_session(store: Store) -> scoped_session[Session]:
    """A session that never takes SQLite's write lock.

    Every request reads its account; with BEGIN IMMEDIATE they would queue up behind each other,
    and a request that writes would wait for itself.
    """
    engine = store.engine.execution_options(sqlite_begin="BEGIN DEFERRED")
    return scoped_session(sessionmaker(bind=engine, expire_on_commit=False))


def create_user(
    app: Flask,
    username: str,
    password: str,
    *roles: str,
    one_time: bool = False,
    welcomed: bool = True,
    who: str = CONSOLE,
) -> None:
    """Make an account, a physician's where no role is named.

    Raises `AccountError` when the name is taken or a value is not allowed. A `one_time` password
    must be changed before anything else; who is not yet `welcomed` sees the first page first.
    """
    if not _USERNAME.fullmatch(username):
        raise AccountError(
            f"{username!r} cannot be a user name. Use 1 to 64 letters, digits and . _ @ -, "
            "beginning with a letter or digit."
        )
    settings = _settings(app)
    titles = (settings.dicom.ae_title, *(peer.ae_title for peer in settings.peers))
    if username.lower() in _RESERVED | {title.lower() for title in titles}:
        raise AccountError(f"{username!r} is a name of the node or of a peer. Choose another name.")
    require_strong(password, username)
    wanted = require_roles(roles or (PHYSICIAN,))
    new = NewAccount(username, _digest(app, password), wanted, one_time, welcomed)
    _store(app).accounts.add(new, who=who, now=datetime.now(UTC))


def set_groups(app: Flask, username: str, groups: Iterable[str], *, who: str = CONSOLE) -> None:
    """Let an account see the cases of these groups alone, from its next request on.

    Raises `AccountError` for a group that neither config.yaml nor a case nor the account knows.
    """
    had = _store(app).groups.of(username)
    wanted = require_groups(app, groups, had)
    _store(app).groups.change(username, wanted, who=who, now=datetime.now(UTC))


def require_groups(
    app: Flask, groups: Iterable[str], had: frozenset[str] = frozenset()
) -> frozenset[str]:
    """The groups; raises `AccountError` for one that is not known and was not `had`.

    Known are those of config.yaml, and those that cases have kept from an earlier one.
    """
    known = {*_settings(app).groups(), *_store(app).groups.of_cases()}
    wanted = frozenset(groups)
    for name in sorted(wanted - had - known):
        names = ", ".join(sorted(known)) or "none"
        raise AccountError(f"There is no group {name!r}. Groups of config.yaml or cases: {names}.")
    return wanted


def set_password(
    app: Flask, username: str, password: str, *, one_time: bool = False, who: str = CONSOLE
) -> str:
    """Give an account another password; every session it has ends.

    Returns the uniquifier that a session must carry from now on. Raises `AccountError` when there
    is no such account or the password is too weak.
    """
    require_strong(password, username)
    return _store(app).accounts.set_password(
        username, _digest(app, password), one_time=one_time, who=who, now=datetime.now(UTC)
    )


def reset_from_console(app: Flask, username: str, password: str) -> None:
    """Give an account a one-time password and let it in again: the way back for whoever is out."""
    set_password(app, username, password, one_time=True)
    second_factor.reset(_store(app), username, who=CONSOLE, now=datetime.now(UTC))
    _store(app).accounts.set_active(
        username, active=True, admin=ADMIN, who=CONSOLE, now=datetime.now(UTC)
    )


def one_time_password() -> str:
    """A password that is told once: 16 characters that nobody takes for others (77 bits)."""
    letters = [secrets.choice(_UNMISTAKABLE) for _ in range(16)]
    return "-".join("".join(letters[i : i + 4]) for i in range(0, 16, 4))


def require_roles(roles: Iterable[str]) -> frozenset[str]:
    """The roles, of which there is at least one; raises `AccountError` for an unknown one."""
    wanted = frozenset(roles)
    if not wanted:
        raise AccountError("An account needs a role. Choose at least one.")
    for name in wanted - set(ROLES):
        raise AccountError(f"There is no role {name!r}. Roles are: {', '.join(ROLES)}.")
    return wanted


def require_strong(password: str, username: str) -> None:
    """Raise `AccountError` where a password is one that others would try first."""
    plain = password.lower()
    if len(password) < SHORTEST_PASSWORD:
        reason = f"too short. Use {SHORTEST_PASSWORD} characters or more"
    elif len(set(plain)) < FEWEST_DIFFERENT:
        reason = f"too even. Use at least {FEWEST_DIFFERENT} different characters"
    elif len(username) >= 3 and username.lower() in plain:
        reason = "too easy to guess: it contains the user name. Leave that out"
    elif any(word in plain for word in _COMMON):
        reason = "too easy to guess. Use a few words that do not belong together"
    else:
        return
    raise AccountError(f"The password is {reason}.")


def user_exists(app: Flask, username: str) -> bool:
    """Whether there is an account of this name."""
    return any(found.username == username for found in _store(app).accounts.all())


def _settings(app: Flask) -> Settings:
    return cast(Desk, app.extensions[EXTENSION]).settings


def _store(app: Flask) -> Store:
    return cast(Store, app.extensions[_STORE])


def _digest(app: Flask, password: str) -> str:
    with app.app_context():
        return str(hash_password(password))


def _audit(event: str, who: str, address: str, **detail: str) -> None:
    with writing(_store(current_app).engine) as connection:
        audit.record(connection, who=who, event=event, now=_now(), address=address, **detail)


def _now() -> datetime:
    return cast(Desk, current_app.extensions[EXTENSION]).now()
