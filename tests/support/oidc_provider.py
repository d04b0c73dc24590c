"""A provider of OpenID Connect over TLS: metadata, authorisation, tokens signed with RS256, keys.

It does what the standards ask of one, and what a test tells it to do wrong.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.support.alert_peers import context_of
from tests.support.certificates import Certificate

CLIENT, SECRET = "recontour", "between-page-and-provider"
LIVES_S = 300


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@dataclass
class Provider:
    """Says of everybody who comes that it is `says`; keeps what it was asked."""

    issuer: str
    says: dict[str, Any] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = field(default_factory=_new_key)
    signs_with: rsa.RSAPrivateKey | None = None
    signs: bool = True
    asked: list[str] = field(default_factory=list)
    _begun: dict[str, dict[str, str]] = field(default_factory=dict)

    def behave(self, **says: Any) -> None:
        """Do right again, and say this."""
        self.says, self.signs_with, self.signs = says, None, True
        self.asked.clear()

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is led back to."""
        assert (query["response_type"], query["client_id"]) == ("code", CLIENT)
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self._begun[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Tokens for a code, once; None where something does not fit."""
        begun = self._begun.pop(form.get("code", ""), None)
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        told = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if (
            begun is None
            or begun["code_challenge"] != _encoded(proof)
            or begun["redirect_uri"] != form.get("redirect_uri")
            or told != f"{CLIENT}:{SECRET}"
        ):
            return None
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "248289",
            "iat": now,
            "exp": now + LIVES_S,
            "nonce": begun["nonce"],
            **self.says,
        }
        return {
            "access_token": secrets.token_urlsafe(16),
            "token_type": "Bearer",
            "id_token": self._signed(claims),
        }

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "none"],
        }

    def keys(self) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        n, e = (
            _encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))
            for number in (numbers.n, numbers.e)
        )
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": n, "e": e}]}

    def _signed(self, claims: dict[str, Any]) -> str:
        header = {"alg": "RS256" if self.signs else "none", "typ": "JWT", "kid": "1"}
        parts = [_encoded(json.dumps(part).encode()) for part in (header, claims)]
        if not self.signs:
            return ".".join([*parts, ""])
        signing = self.signs_with or self.key
        signature = signing.sign(".".join(parts).encode(), padding.PKCS1v15(), SHA256())
        return ".".join([*parts, _encoded(signature)])


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@contextmanager
def oidc_provider(certificate: Certificate) -> Iterator[Provider]:
    """The provider while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            provider.asked.append(address.path)
            if address.path == "/authorize":
                query = {name: one[0] for name, one in parse_qs(address.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorize(query))
                self.end_headers()
            elif address.path == "/keys":
                self._answer(200, provider.keys())
            else:
                self._answer(200, provider.metadata())

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: one[0] for name, one in parse_qs(body).items()}
            tokens = provider.token(form, self.headers.get("Authorization", ""))
            if tokens is None:
                self._answer(400, {"error": "invalid_grant"})
            else:
                self._answer(200, tokens)

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context_of(certificate).wrap_socket(server.socket, server_side=True)
    provider = Provider(f"https://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
