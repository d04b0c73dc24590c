"""A code from an authenticator beside the password: Flask-Security's own, kept in our store.

A code is taken once. Few wrong ones close the account's second step for a while, wherever they
come from: whoever stands there knows the password. Who is logged in gives it once more to change
anything.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, cast

from flask import Flask, current_app, flash, g, session
from flask_security import SQLAlchemySessionUserDatastore, current_user, verify_password
from flask_security.forms import (
    TwoFactorRescueForm,
    TwoFactorSetupForm,
    TwoFactorVerifyCodeForm,
)
from flask_security.recovery_codes import MfRecoveryCodesForm, MfRecoveryForm
from flask_security.totp import Totp
from sqlalchemy.orm.attributes import set_committed_value
from wtforms import StringField

from core import audit
from core.config import Settings
from core.database import writing
from core.errors import TransitionError
from core.store import Store
from review_ui.context import EXTENSION, Desk
from review_ui.guessing import Guesses, too_many
from review_ui.secrets_folder import secret

GUESSES = "recontour-code-guesses"
CLOCKS_DIFFER_S = 30
"""A code of the step before and of the step after is taken as well."""


def settings_of(settings: Settings) -> dict[str, Any]:
    """What Flask-Security is told of it."""
    key = bytes.fromhex(secret(settings.data_folder, "recovery_key"))
    return {
        "SECURITY_TWO_FACTOR": settings.review.second_factor != "off",
        "SECURITY_TWO_FACTOR_REQUIRED": settings.review.second_factor == "required",
        "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY": CLOCKS_DIFFER_S,
        "SECURITY_TWO_FACTOR_RESCUE_EMAIL": False,
        "SECURITY_TWO_FACTOR_SETUP_TEMPLATE": "second_factor_setup.html",
        "SECURITY_TWO_FACTOR_VERIFY_CODE_TEMPLATE": "second_factor_code.html",
        "SECURITY_TWO_FACTOR_POST_SETUP_VIEW": "/account/",
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES": True,
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_N": 8,
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_KEYS": [base64.urlsafe_b64encode(key)],
        "SECURITY_MULTI_FACTOR_RECOVERY_TEMPLATE": "second_factor_recovery.html",
        "SECURITY_MULTI_FACTOR_RECOVERY_CODES_TEMPLATE": "second_factor_codes.html",
        "SECURITY_TOTP_SECRETS": {"1": secret(settings.data_folder, "totp_key")},
        "SECURITY_TOTP_ISSUER": f"Recontour {settings.dicom.ae_title}",
        "SECURITY_MSG_TWO_FACTOR_INVALID_TOKEN": (
            "The code is not right, or was used before. Wait for the next one.",
            "error",
        ),
        "SECURITY_MSG_INVALID_RECOVERY_CODE": ("This is none of your recovery codes.", "error"),
    }


class AccountDatastore(SQLAlchemySessionUserDatastore):
    """Flask-Security's view of the accounts; it reads, and the store alone writes."""

    def tf_set(
        self,
        user: Any,
        primary_method: str,
        totp_secret: str | None = None,
        phone: str | None = None,
    ) -> None:
        """Turn it on, unless it is on with this very secret.

        A login only begun turns it on where it is off, and never replaces a secret.
        """
        del phone  # codes go to no telephone
        if not totp_secret or user.tf_totp_secret == totp_secret:
            return
        room, logged_in = _room(), bool(current_user.is_authenticated)
        renewed = room.store.factors.turn_on(
            user.username, primary_method, totp_secret, replaces=logged_in, now=room.now()
        )
        set_committed_value(user, "fs_uniquifier", renewed)  # for a login that now goes on
        if logged_in:
            session["_user_id"] = renewed

    def tf_reset(self, user: Any) -> None:
        """Turn it off."""
        room = _room()
        room.store.factors.turn_off(user.username, who=user.username, now=room.now())

    def mf_set_recovery_codes(self, user: Any, rcs: list[str] | None) -> None:
        """Other recovery codes in place of those there are."""
        room = _room()
        room.store.factors.set_recovery_codes(user.username, rcs or [], now=room.now())
        set_committed_value(user, "mf_recovery_codes", rcs or [])

    def mf_delete_recovery_code(self, user: Any, idx: int) -> bool:
        """Take a code; raises `TransitionError` where another login took it meanwhile."""
        room = _room()
        code = user.mf_recovery_codes[idx]
        if not room.store.factors.use_recovery_code(user.username, code, now=room.now()):
            raise TransitionError("This recovery code was used meanwhile. Log in again.")
        return True


class OnceTotp(Totp):
    """Codes that are taken once, also by two logins at the same moment."""

    def get_last_counter(self, user: Any) -> int | None:
        """Time step of the last code that was taken."""
        return _room().store.factors.last_step(user.username)

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        """Take a code, unless it was taken before."""
        g.code_is_new = _room().store.factors.use_step(user.username, tmatch.counter)

    def verify_totp(self, token: str, totp_secret: str, user: Any, window: int = 0) -> bool:
        """Whether a code is right and was never taken."""
        return super().verify_totp(token, totp_secret, user, window) and bool(g.code_is_new)


class SetupForm(TwoFactorSetupForm):
    """What to do: authenticator or disable; our page offers it as buttons."""

    setup = StringField()  # type: ignore[assignment]  # the library's warns of the next WTForms
    password = StringField()

    def validate(self, **kwargs: Any) -> bool:
        """Whether it may be done; who is logged in gives the password once more."""
        if not super().validate(**kwargs):
            return False
        return not current_user.is_authenticated or _password_is_right(self.password)


class CodesForm(MfRecoveryCodesForm):
    """Other recovery codes."""

    password = StringField()

    def validate(self, **kwargs: Any) -> bool:
        """Whether they may be made: with the password once more."""
        return super().validate(**kwargs) and _password_is_right(self.password)


class _Ways(StringField):
    """Other ways in, which the library collects and no page of ours shows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choices: list[Any] = []


class RescueForm(TwoFactorRescueForm):
    """Closed."""

    help_setup = _Ways()  # type: ignore[assignment]  # likewise


class CodeForm(TwoFactorVerifyCodeForm):
    """A code from the authenticator."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether it is right; a refusal is counted and audited."""
        is_setup = getattr(self, "is_setup", False)
        # The password was given for the key that this session was shown, and for no other.
        if is_setup and session.get("tf_totp_secret") != self.tf_totp_secret:
            return False
        right = _counted(self.user, self.code, lambda: super(CodeForm, self).validate(**kwargs))
        if is_setup and self.code.errors:  # the library leads to the page before
            flash(str(self.code.errors[0]))
        return right


class RecoveryForm(MfRecoveryForm):
    """A recovery code."""

    def validate(self, **kwargs: Any) -> bool:
        """Whether it is one of the account's; a refusal is counted and audited."""
        return _counted(self.user, self.code, lambda: super(RecoveryForm, self).validate(**kwargs))


def install(app: Flask) -> None:
    """Begin to count wrong codes."""
    app.extensions[GUESSES] = Guesses()


def reset(store: Store, username: str, *, who: str, now: Any) -> None:
    """Let an account log in by its password alone; its sessions end."""
    if username in store.factors.on():
        store.factors.turn_off(username, who=who, now=now)


def _password_is_right(field: Any) -> bool:
    def is_right() -> bool:
        right = bool(verify_password(field.data or "", current_user.password))
        field.errors = [] if right else ["The password is not right."]
        return right

    return _counted(current_user, field, is_right, event="login.refused")


def _counted(
    user: Any, field: Any, is_right: Callable[[], bool], event: str = "login.code_refused"
) -> bool:
    room, name = _room(), user.username
    guesses = cast(Guesses, current_app.extensions[GUESSES])
    now = room.now()
    if wait := guesses.wait(name, "", now=now):
        field.errors = [too_many(wait)]
        return False
    if is_right():
        guesses.accept(name, "")
        return True
    if field.errors:
        last = guesses.refuse(name, "", now=now)
        with writing(room.store.engine) as connection:
            audit.record(connection, who=name, event=event, now=now)
            if last:
                audit.record(connection, who=name, event="login.blocked", now=now)
    return False


def _room() -> Desk:
    return cast(Desk, current_app.extensions[EXTENSION])
