"""How an alert leaves the node: as a mail, or as a POST of JSON; over TLS alone."""

from __future__ import annotations

import http.client
import json
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from urllib.parse import urlsplit

from core.config import Settings
from core.secret_files import sendable_secret

MAIL, WEBHOOK = "mail", "webhook"
TIMEOUT_S = 15.0
PASSWORD_VARIABLE, TOKEN_VARIABLE = "RECONTOUR_MAIL_PASSWORD", "RECONTOUR_WEBHOOK_TOKEN"
_SUBJECTS = {"failure": "needs attention", "recovery": "is well again", "test": "a test"}


@dataclass(frozen=True, slots=True)
class Message:
    """What is told: `kind` is failure, recovery or test.

    After a crash it may come twice, with the same `id`.
    """

    id: str
    kind: str
    subject: str
    words: str
    began_at: datetime
    ended_at: datetime | None = None


def channels_of(settings: Settings) -> list[str]:
    """The channels that config.yaml names."""
    alerts = settings.alerts
    named = ((MAIL, alerts.mail.host), (WEBHOOK, alerts.webhook.url))
    return [channel for channel, where in named if where]


def tell(settings: Settings, channel: str, message: Message) -> None:
    """Tell it; returns once the other side has taken it.

    Raises `OSError` or `http.client.HTTPException` where it does not, `ConfigError` where a
    secret cannot be used.
    """
    _TELL[channel](settings, message)


def _mail(settings: Settings, message: Message) -> None:
    mail = settings.alerts.mail
    context = _trusting(mail.authorities)
    server: smtplib.SMTP
    if mail.security == "tls":
        server = smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_S)
    with server:
        if mail.security == "starttls":
            server.starttls(context=context)  # raises where the server does not offer it
        if mail.username:
            server.login(mail.username, sendable_secret(PASSWORD_VARIABLE, mail.password_file))
        server.send_message(as_mail(settings, message))


def as_mail(settings: Settings, message: Message) -> EmailMessage:
    """The message as a mail."""
    mail = settings.alerts.mail
    found = EmailMessage()
    title = settings.dicom.ae_title
    found["Subject"] = f"{title} {_SUBJECTS[message.kind]}: {message.subject}"
    found["From"], found["To"] = mail.sender, ", ".join(mail.recipients)
    found["Date"] = message.ended_at or message.began_at
    found["Message-ID"] = f"<{message.id}@{mail.sender.partition('@')[2]}>"
    found["Auto-Submitted"] = "auto-generated"
    lines = [message.words, "", f"Since {message.began_at:%Y-%m-%d %H:%M} UTC."]
    if message.ended_at:
        lines.append(f"Over since {message.ended_at:%Y-%m-%d %H:%M} UTC.")
    if settings.review.public_url:
        lines.append(f"{settings.review.public_url}/status")
    found.set_content("\n".join(lines) + "\n")
    return found


def _post(settings: Settings, message: Message) -> None:
    hook = settings.alerts.webhook
    where = urlsplit(hook.url)
    body = {
        "id": message.id,
        "node": settings.dicom.ae_title,
        "kind": message.kind,
        "subject": message.subject,
        "words": message.words,
        "began_at": message.began_at.isoformat(),
        "ended_at": message.ended_at.isoformat() if message.ended_at else None,
    }
    headers = {"Content-Type": "application/json"}
    if token := sendable_secret(TOKEN_VARIABLE, hook.token_file):
        headers["Authorization"] = f"Bearer {token}"
    connection = http.client.HTTPSConnection(
        where.hostname or "", where.port, timeout=TIMEOUT_S, context=_trusting(hook.authorities)
    )
    try:
        path = f"{where.path or '/'}?{where.query}" if where.query else where.path or "/"
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        if not 200 <= answer.status < 300:  # a redirect may lead anywhere: it is not followed
            raise http.client.HTTPException(f"answered {answer.status}")
    finally:
        connection.close()


def _trusting(authorities: str) -> ssl.SSLContext:
    """Who may have signed the other side's certificate; those of the system where none is named."""
    context = ssl.create_default_context(cafile=authorities or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


_TELL: dict[str, Callable[[Settings, Message], None]] = {MAIL: _mail, WEBHOOK: _post}
