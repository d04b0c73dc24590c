"""The review page's own certificate, renewed without a restart."""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog

from core import own_certificate
from core.errors import ConfigError
from core.review_config import PageTlsSettings

log = structlog.get_logger()


class PageCertificate:
    """Read anew for the next connection once its files have changed.

    Raises `ConfigError` where the files cannot be used at first.
    """

    def __init__(self, settings: PageTlsSettings) -> None:
        self._files = Path(settings.certificate), Path(settings.private_key)
        self._context = self._load()
        self._stamps = self._now()

    def context(self) -> ssl.SSLContext:
        """What the next connection speaks; what cannot be used leaves the one before in service."""
        stamps = self._now()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._context = self._load()
                log.info("review.certificate_renewed")
            except ConfigError as error:
                log.warning("review.certificate_not_renewed", reason=str(error))
        return self._context

    def _load(self) -> ssl.SSLContext:
        context = own_certificate.modern_context(ssl.PROTOCOL_TLS_SERVER)
        own_certificate.load(context, "review.tls", *self._files)
        return context

    def _now(self) -> list[tuple[int, int] | None]:
        stamps: list[tuple[int, int] | None] = []
        for path in self._files:
            try:
                stat = path.stat()
            except OSError:
                stamps.append(None)
            else:
                stamps.append((stat.st_mtime_ns, stat.st_ino))
        return stamps
