"""A mail server and a web server that alerts are sent to, both over TLS with a certificate."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.certificates import Certificate
from tests.support.settings import free_port

HOST = "127.0.0.1"
PASSWORD = "of the mail server"


def context_of(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.private_key)
    return context


@dataclass
class MailServer:
    """Takes mail over STARTTLS from whoever logs in; keeps what came, and each login."""

    port: int
    mails: list[Message] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        return "250 kept"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, told: Any
    ) -> AuthResult:
        assert isinstance(told, LoginPassword)
        self.logins.append(told.password)
        return AuthResult(success=told.password == PASSWORD.encode())


@contextmanager
def mail_server(certificate: Certificate, *, starttls: bool = True) -> Iterator[MailServer]:
    server = MailServer(free_port())
    tls: dict[str, Any] = (
        {"tls_context": context_of(certificate), "require_starttls": True, "auth_required": True}
        if starttls
        else {}
    )
    controller = Controller(
        server,
        hostname=HOST,
        port=server.port,
        authenticator=server.authenticate,
        **tls,
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@dataclass
class WebServer:
    """Answers each POST with `status`, and keeps what came."""

    status: int = 204
    port: int = 0
    posts: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)


@contextmanager
def web_server(certificate: Certificate, **changes: Any) -> Iterator[WebServer]:
    server = WebServer(**changes)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.posts.append((self.path, dict(self.headers), body))
            self.send_response(server.status)
            self.send_header("Location", f"https://{HOST}:{server.port}/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # whoever does not trust the certificate hangs up
                return

    class Quiet(HTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A handshake that the other side ended."""

    listening = Quiet((HOST, 0), Handler)
    server.port = listening.server_port
    listening.socket = context_of(certificate).wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
