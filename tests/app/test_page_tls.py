"""The review page behind its own certificate, asked by a real TLS client."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from flask import Response, request
from pydantic import ValidationError

from app import process
from app.checks.certificates import certificates
from app.checks.network import ports
from app.commands.node import run
from app.page_certificate import PageCertificate
from app.page_server import RECORD
from core.config import Settings
from core.errors import ConfigError
from core.review_config import PageTlsSettings
from core.store import open_store
from review_ui import create_app
from review_ui.accounts import create_user
from tests.support.certificates import Authority, Certificate
from tests.support.review_case import PASSWORD
from tests.support.serving import served
from tests.support.settings import free_port, settings_for

LARGE = bytes(range(256)) * (12 << 12)
"""12 MB: more than is buffered for a browser."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Certificate:
    return authority.certify("page")


def tls_of(shown: Certificate) -> PageTlsSettings:
    return PageTlsSettings(certificate=str(shown.certificate), private_key=str(shown.private_key))


@dataclass(frozen=True, slots=True)
class Site:
    """A page that is served with a copy of the certificate, and who signed it."""

    port: int
    certificate: Certificate
    settings: Settings

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate.authorities))

    def ask(self, path: str = "/healthz", context: ssl.SSLContext | None = None) -> bytes:
        with self.connected(context) as connection:
            connection.request("GET", path)
            return connection.getresponse().read()

    @contextmanager
    def connected(
        self, context: ssl.SSLContext | None = None
    ) -> Iterator[http.client.HTTPSConnection]:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=60, context=context or self.context()
        )
        try:
            yield connection
        finally:
            connection.close()


@pytest.fixture(scope="module")
def site(ours: Certificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    files = [folder / path.name for path in (ours.certificate, ours.private_key)]
    for source, copy in zip((ours.certificate, ours.private_key), files, strict=True):
        shutil.copy(source, copy)
    shown = Certificate(files[0], files[1], ours.authorities)
    keys = {"certificate": str(files[0]), "private_key": str(files[1])}
    settings = settings_for(folder, review={"tls": keys, "port": free_port()})
    store = open_store(settings)
    app = create_app(settings, store)
    create_user(app, "anna", PASSWORD)
    # Of nobody, as /healthz: what is tested here is the way.
    app.view_functions["status.healthz"] = health
    with served(app, settings.review.tls) as address:
        yield Site(urlsplit(address).port or 0, shown, settings)
    store.engine.dispose()


def health() -> Response:
    return Response(LARGE if "large" in request.args else "ok")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_browser_that_trusts_the_authority_is_answered(
    version: ssl.TLSVersion, site: Site
) -> None:
    context = site.context()
    context.minimum_version = context.maximum_version = version
    assert site.ask(context=context) == b"ok"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_1_1_is_refused(site: Site) -> None:
    context = site.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        site.ask(context=context)


def test_a_cipher_without_forward_secrecy_is_refused(site: Site) -> None:
    context = site.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256:AES256-SHA")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        site.ask(context=context)


def test_who_logs_in_has_a_cookie_that_never_travels_in_the_clear(site: Site) -> None:
    with site.connected() as connection:
        connection.request("GET", "/login")
        page = connection.getresponse()
        text = page.read().decode()
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', text)
        assert token is not None
        assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
        cookie = page.headers["Set-Cookie"]
        assert "Secure" in cookie
        typed = {"username": "anna", "password": PASSWORD, "csrf_token": token[1]}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": cookie.partition(";")[0],
            "Referer": f"https://127.0.0.1:{site.port}/login",  # as a browser says it
        }
        connection.request("POST", "/login", urlencode(typed), headers)
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Location"]) == (302, "/")
        assert "Secure" in answer.headers["Set-Cookie"]


def test_an_answer_larger_than_every_buffer_arrives_whole_though_it_is_read_slowly(
    site: Site,
) -> None:
    with site.connected() as connection:
        connection.request("GET", "/healthz?large")
        assert site.ask() == b"ok"  # meanwhile others are answered
        assert connection.getresponse().read() == LARGE


def test_a_request_of_many_records_arrives_whole(site: Site) -> None:
    with site.connected() as connection:
        # Not taken without a token, but read to its end, which is half a record: the connection
        # goes on.
        connection.request("POST", "/login", b"x" * (40 * RECORD + RECORD // 2))
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 400
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok"


def test_handshakes_that_stall_keep_nobody_waiting(site: Site) -> None:
    begun = b"\x16\x03\x01\x02\x00\x01\x00\x01"
    stalled = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(20)]
    try:
        for number, one in enumerate(stalled):
            one.sendall(begun[: number % 9])
        assert site.ask() == b"ok"
    finally:
        for one in stalled:
            one.close()


def test_who_speaks_plain_http_is_told_so_and_learns_nothing(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (
        400,
        b"This address speaks https alone. Write https:// before it.\n",
    )
    connection.close()


def test_the_doctor_asks_over_tls_and_reads_the_date(site: Site) -> None:
    review = site.settings.review.model_copy(update={"port": site.port})
    settings = site.settings.model_copy(update={"review": review})
    (page,) = (one for one in ports(settings) if "review page" in one.check)
    assert page.found == "the page answers over TLS"
    (shown,) = (one for one in certificates(settings) if "review page" in one.check)
    assert (shown.state, shown.found[:13]) == ("WARN", "expires in 1 ")


def test_a_renewed_certificate_is_shown_to_the_next_who_calls(
    site: Site, authority: Authority
) -> None:
    renewed = authority.certify("renewed")
    # A moment in which the two do not fit: the one before stays in service.
    shutil.copy(renewed.certificate, site.certificate.certificate)
    assert _shown_to(site) == "page"
    shutil.copy(renewed.private_key, site.certificate.private_key)
    assert _shown_to(site) == "renewed"


def _shown_to(site: Site) -> str:
    with (
        socket.create_connection(("127.0.0.1", site.port), timeout=60) as plain,
        site.context().wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        shown = secured.getpeercert()
    assert shown is not None
    subject: tuple[tuple[tuple[str, str], ...], ...] = shown["subject"]  # type: ignore[assignment]
    return subject[0][0][1]


# --- what is refused


def test_what_cannot_be_used_is_refused_with_its_key_and_what_to_do(
    authority: Authority, ours: Certificate, tmp_path: Path
) -> None:
    other = authority.certify("other")
    with pytest.raises(ConfigError, match=r"review.tls.certificate: there is no file .*nowhere"):
        PageCertificate(tls_of(ours).model_copy(update={"certificate": str(tmp_path / "nowhere")}))
    swapped = {"private_key": str(other.private_key)}
    with pytest.raises(ConfigError, match="are not a certificate and its private key"):
        PageCertificate(tls_of(ours).model_copy(update=swapped))
    other.private_key.chmod(0o644)
    with pytest.raises(ConfigError, match=r"review.tls.private_key: others .*0644.*chmod 600"):
        PageCertificate(tls_of(other))


def test_a_node_does_not_start_with_a_certificate_it_cannot_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "start_logging", lambda _role: None)
    monkeypatch.setattr(process, "stop_on_signal", lambda: None)
    keys = {"certificate": "nowhere.crt", "private_key": "nowhere.key"}
    settings_for(tmp_path, review={"tls": keys, "port": free_port()})
    with pytest.raises(ConfigError, match=r"review.tls.certificate: there is no file"):
        run(config=tmp_path / "config.yaml")


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::", "review.hospital"])
def test_a_page_that_others_reach_without_tls_is_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"host {host} is reached from other machines"):
        settings_for(tmp_path, review={"host": host})
    proxy = settings_for(tmp_path, review={"host": host, "public_url": "https://recontour"})
    assert proxy.review.is_encrypted()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_on_this_machine_alone_plain_http_is_enough(host: str, tmp_path: Path) -> None:
    assert not settings_for(tmp_path, review={"host": host}).review.is_encrypted()


def test_half_of_the_two_files_is_refused() -> None:
    with pytest.raises(ValidationError, match="belong together"):
        PageTlsSettings(certificate="page.crt")
