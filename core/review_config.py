"""Settings of the review page: where it listens, its certificate, how it is worked with."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from core.section import Port, Section


class PageTlsSettings(Section):
    """The review page's own certificate; without one it speaks HTTP."""

    certificate: str = ""
    private_key: str = ""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.certificate) != bool(self.private_key):
            raise ValueError("certificate and private_key belong together: give both, or neither")
        return self

    def in_folder(self, folder: Path) -> PageTlsSettings:
        """The same with every path from this folder."""
        if not self.certificate:
            return self
        files = {n: str(folder / getattr(self, n)) for n in ("certificate", "private_key")}
        return self.model_copy(update=files)


class ReviewSettings(Section):
    """The review page."""

    host: str
    port: Port
    threads: Annotated[int, Field(ge=2, le=256)]
    lock_s: Annotated[float, Field(gt=0)]
    hold_s: Annotated[float, Field(ge=0, le=3600)]
    manual_every: Annotated[int, Field(ge=0)]
    stop_within_mm: Annotated[float, Field(gt=0, le=10)]
    stop_tolerance_gy: Annotated[float, Field(gt=0)]
    public_url: Annotated[str, StringConstraints(pattern=r"^$|^https?://[^/]+$")]
    session_minutes: Annotated[int, Field(ge=1)]
    tour: bool = False
    second_factor: Literal["off", "optional", "required"] = "optional"
    tls: PageTlsSettings = PageTlsSettings()

    @model_validator(mode="after")
    def _passwords_do_not_travel_in_the_clear(self) -> Self:
        if not (self.is_encrypted() or self.host == "localhost" or _is_loopback(self.host)):
            raise ValueError(
                f"host {self.host} is reached from other machines, and passwords would travel in "
                "the clear. Give tls a certificate, or public_url the https address of the proxy "
                "before the page, or listen on 127.0.0.1"
            )
        return self

    def is_encrypted(self) -> bool:
        """Whether browsers speak TLS: with us, or with a proxy before us."""
        return bool(self.tls.certificate) or self.public_url.startswith("https://")

    def local_url(self, host: str | None = None) -> str:
        """Where the page is found without a proxy; `host` in place of the one it listens on."""
        scheme = "https" if self.tls.certificate else "http"
        name = host or self.host
        return f"{scheme}://{f'[{name}]' if ':' in name else name}:{self.port}"

    def in_folder(self, folder: Path) -> ReviewSettings:
        """The same with every path from this folder."""
        return self.model_copy(update={"tls": self.tls.in_folder(folder)})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
