"""The hospital's login service as Authlib asks it: code flow with PKCE, state and nonce."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.flask_client import OAuth
from flask import Flask, request
from flask.typing import ResponseReturnValue
from joserfc.errors import JoseError

from core.errors import ConfigError, LoginServiceError
from core.oidc_config import OidcSettings
from core.secret_files import sendable_secret

SECRET_VARIABLE = "RECONTOUR_OIDC_SECRET"  # noqa: S105 (the name of a variable)
TIMEOUT_S = 5.0
REST_S = 5.0
"""How long nobody is sent to ask again, once the provider did not answer."""
CLOCKS_DIFFER_S = 30
# Keys that the provider publishes prove who signed; a secret that we share with it would not.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
SILENT = (
    "The hospital's login service does not answer. Try again in a moment, or log in with user name "
    "and password."
)
NOT_RIGHT = (
    "What the hospital's login service said is not right, and nobody was let in. Begin again; if "
    "it stays so, tell whoever looks after the node."
)
NOT_BEGUN = "This login was not begun in this browser, or too long ago. Begin again."

log = structlog.get_logger()


class OidcProvider:
    """One provider; what it publishes is asked for at the first login and kept."""

    def __init__(self, app: Flask, settings: OidcSettings, redirect_uri: str) -> None:
        self._settings, self._redirect_uri = settings, redirect_uri
        self._oauth = OAuth(app)
        self._client: Any = None
        self._asking = threading.Lock()
        self._rests_until = 0.0

    def require_answer(self) -> None:
        """Raise `LoginServiceError` where the provider does not say what is needed of it."""
        self._ready()

    def begin(self) -> ResponseReturnValue:
        """Lead the browser to the provider. Raises `LoginServiceError` where it cannot be."""
        client = self._ready()
        with _in_our_words():
            led: ResponseReturnValue = client.authorize_redirect(self._redirect_uri)
        return led

    def finish(self) -> Mapping[str, Any]:
        """What the provider says of who comes back, once it is proved.

        Raises `LoginServiceError` with the reason, where nothing is.
        """
        if "error" in request.args:  # the browser brings it: it is not repeated on our page
            raise LoginServiceError(NOT_RIGHT, reason="provider_refused")
        client = self._ready()
        options = {
            "iss": {"essential": True, "values": [self._settings.issuer]},
            "aud": {"essential": True, "values": [self._settings.client_id]},
        }
        with _in_our_words():
            token = client.authorize_access_token(claims_options=options, leeway=CLOCKS_DIFFER_S)
        claims: Mapping[str, Any] | None = token.get("userinfo")
        if claims is None:
            raise LoginServiceError(NOT_RIGHT, reason="no_id_token")
        return claims

    def _ready(self) -> Any:
        if self._client is not None:
            return self._client
        if not self._asking.acquire(timeout=1.0):
            raise LoginServiceError(SILENT, reason="no_answer")
        try:
            if self._client is None:
                self._client = self._discovered()
            return self._client
        finally:
            self._asking.release()

    def _discovered(self) -> Any:
        if time.monotonic() < self._rests_until:
            raise LoginServiceError(SILENT, reason="no_answer")
        client = self._registered()
        try:
            with _in_our_words():
                found = client.load_server_metadata()
        except LoginServiceError:
            self._rests_until = time.monotonic() + REST_S
            raise
        secure = "https://" if self._settings.issuer.startswith("https://") else "http"
        whole = all(str(found.get(name, "")).startswith(secure) for name in _ENDPOINTS)
        if found.get("issuer") != self._settings.issuer or not whole:
            log.error("oidc.wrong_metadata", issuer=str(found.get("issuer"))[:200], whole=whole)
            raise LoginServiceError(NOT_RIGHT, reason="wrong_metadata")
        found["id_token_signing_alg_values_supported"] = ALGORITHMS
        return client

    def _registered(self) -> Any:
        settings = self._settings
        try:
            secret = sendable_secret(SECRET_VARIABLE, settings.client_secret_file)
        except ConfigError as error:
            log.error("oidc.secret_unusable", reason=str(error))  # noqa: TRY400 (one line is all)
            raise LoginServiceError(NOT_RIGHT, reason="no_secret") from None
        return self._oauth.register(
            "oidc",
            overwrite=True,
            client_id=settings.client_id,
            client_secret=secret or None,
            server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": settings.scopes,
                "code_challenge_method": "S256",
                "token_endpoint_auth_method": "client_secret_basic" if secret else "none",
                "default_timeout": TIMEOUT_S,
                "verify": settings.authorities or True,
                # Otherwise the environment's authorities, and passwords of .netrc, go before.
                "trust_env": False,
                "proxies": requests.utils.get_environ_proxies(settings.issuer),
            },
        )


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Whatever goes wrong in there as `LoginServiceError`; what was said is not logged."""
    try:
        yield
    except requests.RequestException as error:
        log.warning("oidc.no_answer", kind=type(error).__name__)
        raise LoginServiceError(SILENT, reason="no_answer") from None
    except MismatchingStateError:
        raise LoginServiceError(NOT_BEGUN, reason="wrong_state") from None
    except (AuthlibBaseError, JoseError, ValueError, TypeError, KeyError, RuntimeError) as error:
        log.warning("oidc.not_right", kind=type(error).__name__)
        raise LoginServiceError(NOT_RIGHT, reason="wrong_token") from None
