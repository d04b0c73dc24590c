"""Settings of alerts: whom the node tells when something is wrong, and what is worth it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from core.section import Section

Address = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", max_length=254)]


class MailSettings(Section):
    """A mail server, always asked over TLS; without a host no mail is sent."""

    host: Annotated[str, StringConstraints(max_length=253)] = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls"] = "starttls"
    authorities: str = ""
    username: str = ""
    password_file: str = ""
    sender: Address = "recontour@localhost"
    recipients: tuple[Address, ...] = ()

    @model_validator(mode="after")
    def _somebody_gets_it(self) -> Self:
        if self.host and not self.recipients:
            raise ValueError("a mail needs recipients: name at least one, or leave host empty")
        return self


class WebhookSettings(Section):
    """An address that gets a POST of JSON; without a URL none does."""

    url: Annotated[str, StringConstraints(pattern=r"^$|^https://[^/\s]+(/\S*)?$")] = ""
    authorities: str = ""
    token_file: str = ""


class AlertSettings(Section):
    """What is worth an alert, and who gets it."""

    patience_minutes: Annotated[float, Field(gt=0, le=1440)] = 10.0
    rounds_refused: Annotated[int, Field(ge=1, le=100)] = 5
    mail: MailSettings = MailSettings()
    webhook: WebhookSettings = WebhookSettings()

    def in_folder(self, folder: Path) -> AlertSettings:
        """The same with every path from this folder."""
        mail = {n: _whole(folder, getattr(self.mail, n)) for n in ("authorities", "password_file")}
        hook = {n: _whole(folder, getattr(self.webhook, n)) for n in ("authorities", "token_file")}
        return self.model_copy(
            update={
                "mail": self.mail.model_copy(update=mail),
                "webhook": self.webhook.model_copy(update=hook),
            }
        )


def _whole(folder: Path, path: str) -> str:
    return str(folder / path) if path else ""
