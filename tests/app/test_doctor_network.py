"""The doctor on ports, peers and certificates with one thing wrong at a time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE

from app.checks.finding import Finding
from app.doctor import diagnose
from core.config import load_settings
from tests.app.doctor_cases import FAIL, OK, WARN, configured, found, node_at
from tests.support.certificates import Authority
from tests.support.settings import free_port, peer_values


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A node that does not run, with a destination that does not answer."""
    return configured(tmp_path)


# --- ports and peers


@contextmanager
def listening_at(port: int) -> Iterator[None]:
    """Somebody who is no DICOM application: hangs up on everybody."""
    with socket.create_server(("127.0.0.1", port)) as server:

        def hang_up() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        yield
        server.shutdown(socket.SHUT_RDWR)


def test_ports_that_another_program_has_are_told(config: Path) -> None:
    settings = load_settings(config)
    with listening_at(settings.dicom.port), listening_at(settings.review.port):
        assert found(config, "DICOM port").state is WARN
        assert found(config, "review page port").state is FAIL


def test_another_dicom_application_on_our_port_fails(config: Path) -> None:
    port = load_settings(config).dicom.port
    other = AE("RECONTOUR")
    other.add_supported_context("1.2.840.10008.1.1")
    server = other.start_server(("127.0.0.1", port), block=False)
    assert server is not None
    try:
        assert found(config, "DICOM port").state is FAIL
        assert "another DICOM application" in found(config, "DICOM port").found
    finally:
        server.shutdown()
        other.shutdown()


def test_an_address_that_is_not_of_this_machine_fails(tmp_path: Path) -> None:
    config = configured(tmp_path, dicom={"host": "192.0.2.7"})
    assert found(config, "DICOM port").state is FAIL


def test_a_destination_that_cannot_be_reached_fails_and_another_peer_is_a_warning(
    tmp_path: Path,
) -> None:
    peers = [peer_values("TPS", port=free_port()), peer_values("PACS", port=free_port())]
    config = configured(tmp_path, peers=peers)
    assert found(config, "peer TPS").state is FAIL
    assert "cannot be reached" in found(config, "peer TPS").found
    assert found(config, "peer PACS").state is WARN


def test_a_peer_that_does_not_know_our_title_fails_with_its_reason(tmp_path: Path) -> None:
    port = free_port()
    config = configured(tmp_path, tps_port=port)
    (tmp_path / "tps").mkdir()
    with node_at(configured(tmp_path / "tps", dicom={"port": port, "ae_title": "TPS"})):
        rejected = found(config, "peer TPS")
    assert rejected.state is FAIL
    assert "Calling AE title not recognised" in rejected.found


def test_a_peer_that_speaks_no_tls_fails_with_that_reason(tmp_path: Path) -> None:
    port = free_port()
    ours = Authority(tmp_path / "tls").certify("node")
    config = configured(
        tmp_path,
        peers=[peer_values("TPS", port=port, tls=True)],
        dicom={"tls": tls_values(ours.settings(), enabled=False)},
    )
    with listening_at(port):
        assert found(config, "peer TPS").state is FAIL
        assert "TLS" in found(config, "peer TPS").found


def test_a_tls_port_of_ours_and_a_peer_over_tls_are_told_apart(tmp_path: Path) -> None:
    port = free_port()
    authority = Authority(tmp_path / "tls")
    tls = tls_values(authority.certify("node", days=400).settings())
    config = configured(
        tmp_path,
        peers=[peer_values("TPS", port=port, tls=True)],
        dicom={"tls": tls},
    )
    (tmp_path / "tps").mkdir()
    theirs = tls_values(authority.certify("tps").settings()) | {"port": port}
    tps = configured(
        tmp_path / "tps",
        dicom={"ae_title": "TPS", "tls": theirs},
        peers=[peer_values("RECONTOUR")],
        rules=[{"name": "r", "structures": ["Heart"], "destinations": ["RECONTOUR"]}],
    )
    with node_at(config), node_at(tps):
        ours, peer = found(config, f"DICOM port {tls['port']} (TLS)"), found(config, "peer TPS")
    assert (ours.state, ours.found) == (OK, "RECONTOUR answers C-ECHO")
    assert peer.state is OK
    assert peer.found.endswith("over TLS")


# --- certificates


def tls_values(files: dict[str, str], *, enabled: bool = True) -> dict[str, Any]:
    return {"enabled": enabled, "port": free_port(), **files}


def certificate_findings(folder: Path, files: dict[str, str]) -> dict[str, Finding]:
    config = configured(folder, dicom={"tls": tls_values(files)})
    names = ("certificate", "private key", "authority", "TLS")
    return {f.check: f for f in diagnose(config) if f.check.startswith(names)}


def test_a_valid_certificate_is_told_with_its_days(tmp_path: Path) -> None:
    ours = Authority(tmp_path / "tls").certify("node", days=400)
    told = certificate_findings(tmp_path, ours.settings())
    assert told["certificate"].state is OK
    assert "valid for 399 days" in told["certificate"].found
    assert told["certificate chain"].state is OK
    assert told["authority authority"].state is WARN  # of two days


def test_an_expired_certificate_fails(tmp_path: Path) -> None:
    ours = Authority(tmp_path / "tls").certify("node", days=-1)
    told = certificate_findings(tmp_path, ours.settings())
    assert told["certificate"].state is FAIL
    assert "expired" in told["certificate"].found


def test_a_certificate_that_ends_soon_is_a_warning(tmp_path: Path) -> None:
    ours = Authority(tmp_path / "tls").certify("node", days=10)
    assert certificate_findings(tmp_path, ours.settings())["certificate"].state is WARN


def test_a_certificate_of_another_authority_is_a_warning(tmp_path: Path) -> None:
    ours = Authority(tmp_path / "ours").certify("node", days=400)
    files = ours.settings() | {
        "authorities": str(Authority(tmp_path / "theirs", "theirs").certificate)
    }
    assert certificate_findings(tmp_path, files)["certificate chain"].state is WARN


@pytest.mark.parametrize(
    ("breakage", "sentence"),
    [
        (lambda ours, _: ours.certificate.unlink(), "there is no file"),
        (lambda ours, _: ours.private_key.chmod(0o644), "others may read"),
        (
            lambda ours, other: ours.private_key.write_bytes(other.private_key.read_bytes()),
            "are not a certificate and its private key",
        ),
    ],
    ids=["missing", "readable key", "another key"],
)
def test_tls_files_that_do_not_fit_fail(breakage: Any, sentence: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    ours, other = authority.certify("node"), authority.certify("other")
    breakage(ours, other)
    told = certificate_findings(tmp_path, ours.settings())["certificate"]
    assert told.state is FAIL
    assert sentence in told.found
