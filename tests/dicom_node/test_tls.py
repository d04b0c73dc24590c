from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.clinic import wait_for
from core.config import PeerSettings, Settings, TlsSettings
from core.errors import ConfigError, DeliveryError
from core.store import open_store
from dicom_node.network.inbox import Inbox
from dicom_node.network.scu import echo, send_instances
from dicom_node.network.tls import _is_for, client_arguments, server_context
from tests.dicom_node.nodes import Node, listening_node
from tests.support.certificates import Authority, Certificate
from tests.support.peers import require_program
from tests.support.raw_scu import ACCEPT, associate_request
from tests.support.settings import free_port, peer_values, settings_for
from tests.support.synthetic_dicom import ct_series, written

CT_LITTLE_ENDIAN = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Certificate:
    return authority.certify("node")


@pytest.fixture(scope="module")
def theirs(authority: Authority) -> Certificate:
    return authority.certify("tps")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Certified by somebody we do not know."""
    return Authority(tmp_path_factory.mktemp("others"), "others").certify("stranger")


@pytest.fixture
def settings(tmp_path: Path, ours: Certificate) -> Settings:
    tls = {"enabled": True, "port": free_port(), **ours.settings()}
    dicom = {"port": 0, "network_timeout_s": 3, "tls": tls}
    return settings_for(tmp_path, dicom=dicom, disk_reserve_mb=1, peers=[peer_values("TPS")])


@pytest.fixture
def node(settings: Settings) -> Iterator[Node]:
    store = open_store(settings)
    inbox = Inbox(settings.data_folder, store.instances, reserve_mb=0)
    with listening_node(settings, store, inbox) as listening:
        yield listening


def tls_of(shown: Certificate, **changes: Any) -> TlsSettings:
    values: dict[str, Any] = {"enabled": False, "port": 0, **shown.settings(), **changes}
    return TlsSettings(**values)


def over_tls(node: Node, *, host: str = "127.0.0.1") -> PeerSettings:
    port = node.settings.dicom.tls.port
    return PeerSettings(name="node", ae_title="RECONTOUR", host=host, port=port, tls=True)


def test_a_certified_peer_stores_over_tls(node: Node, theirs: Certificate, tmp_path: Path) -> None:
    paths = written(ct_series(), tmp_path / "outgoing")
    sent = send_instances(paths, over_tls(node), calling_ae_title="TPS", tls=tls_of(theirs))
    assert len(sent) == len(paths) == len(node.files())


def test_the_plain_port_stays_open_beside_it(node: Node) -> None:
    echo(node.peer, calling_ae_title="TPS")


def test_rights_hold_over_tls_too(node: Node, theirs: Certificate) -> None:
    with pytest.raises(DeliveryError, match="rejected"):
        echo(over_tls(node), calling_ae_title="STRANGER", tls=tls_of(theirs))


def test_who_is_certified_by_nobody_we_know_is_refused(
    node: Node, stranger: Certificate, theirs: Certificate
) -> None:
    tls = tls_of(stranger, authorities=theirs.authorities)
    with pytest.raises(DeliveryError):
        echo(over_tls(node), calling_ae_title="TPS", tls=tls)


def test_we_do_not_speak_with_a_node_certified_by_nobody_we_know(
    node: Node, theirs: Certificate, stranger: Certificate
) -> None:
    tls = tls_of(theirs, authorities=stranger.authorities)
    with pytest.raises(DeliveryError, match=r"no TLS \(.*certificate"):
        echo(over_tls(node), calling_ae_title="TPS", tls=tls)


def test_an_expired_certificate_is_refused(
    node: Node, authority: Authority, theirs: Certificate
) -> None:
    expired = authority.certify("expired", days=-1)
    with pytest.raises(DeliveryError):
        echo(over_tls(node), calling_ae_title="TPS", tls=tls_of(expired))


@contextmanager
def shaken_hands(node: Node, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    address = ("127.0.0.1", node.settings.dicom.tls.port)
    with (
        socket.create_connection(address, timeout=5) as plain,
        context.wrap_socket(plain) as secured,
    ):
        yield secured


def client_context(certificate: Certificate | None = None) -> ssl.SSLContext:
    """What OpenSSL does by itself, without our settings."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate.certificate, certificate.private_key)
    return context


def answer_to_request(secured: ssl.SSLSocket) -> bytes:
    secured.sendall(associate_request({1: CT_LITTLE_ENDIAN}))
    return secured.recv(1)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(
    version: ssl.TLSVersion, node: Node, theirs: Certificate
) -> None:
    context = client_context(theirs)
    context.minimum_version = context.maximum_version = version
    with shaken_hands(node, context) as secured:
        assert (
            secured.version()
            == {
                ssl.TLSVersion.TLSv1_2: "TLSv1.2",
                ssl.TLSVersion.TLSv1_3: "TLSv1.3",
            }[version]
        )
        assert answer_to_request(secured) == bytes([ACCEPT])


def test_without_a_certificate_nobody_is_let_in(node: Node) -> None:
    # TLS 1.3 tells the client only after its handshake.
    answer = b""
    refused = contextlib.suppress(ssl.SSLError, ConnectionError)
    with refused, shaken_hands(node, client_context()) as secured:
        answer = answer_to_request(secured)
    assert answer == b""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_1_1_is_refused(node: Node, theirs: Certificate) -> None:
    context = client_context(theirs)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)), shaken_hands(node, context):
        pass


def test_a_cipher_without_forward_secrecy_is_refused(node: Node, theirs: Certificate) -> None:
    context = client_context(theirs)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256:AES256-SHA")
    with pytest.raises((ssl.SSLError, ConnectionError)), shaken_hands(node, context):
        pass


def test_a_plain_caller_on_the_tls_port_is_hung_up_on(node: Node) -> None:
    with socket.create_connection(("127.0.0.1", node.settings.dicom.tls.port), timeout=5) as plain:
        plain.sendall(associate_request({1: CT_LITTLE_ENDIAN}))
        with contextlib.suppress(ConnectionResetError):
            assert plain.recv(1) in {b"", b"\x15"}  # the end, or a TLS alert before it
    echo(node.peer, calling_ae_title="TPS")


def test_who_says_nothing_on_the_tls_port_keeps_nobody_waiting(
    node: Node, theirs: Certificate
) -> None:
    address = ("127.0.0.1", node.settings.dicom.tls.port)
    with socket.create_connection(address, timeout=10) as silent:
        echo(over_tls(node), calling_ae_title="TPS", tls=tls_of(theirs))
        echo(node.peer, calling_ae_title="TPS")
        assert silent.recv(1) == b""  # after network_timeout_s


def test_half_a_handshake_keeps_nobody_waiting(node: Node, theirs: Certificate) -> None:
    address = ("127.0.0.1", node.settings.dicom.tls.port)
    with socket.create_connection(address, timeout=10) as silent:
        silent.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")
        echo(over_tls(node), calling_ae_title="TPS", tls=tls_of(theirs))
        assert silent.recv(1) == b""


# --- the host a certificate is for


def test_a_certificate_for_another_host_is_refused_with_its_name(
    authority: Authority, theirs: Certificate, tmp_path: Path
) -> None:
    elsewhere = authority.certify("elsewhere", host="DNS:tps.example.org,IP:10.0.0.1")
    tls = {"enabled": True, "port": free_port(), **elsewhere.settings()}
    settings = settings_for(tmp_path, dicom={"port": 0, "tls": tls})
    store = open_store(settings)
    inbox = Inbox(settings.data_folder, store.instances, reserve_mb=0)
    with (
        listening_node(settings, store, inbox) as node,
        pytest.raises(DeliveryError, match=r"is for tps.example.org, 10.0.0.1, not for 127.0.0.1"),
    ):
        echo(over_tls(node), calling_ae_title="TPS", tls=tls_of(theirs))


def test_a_certificate_that_names_no_host_is_enough(
    authority: Authority, theirs: Certificate, tmp_path: Path
) -> None:
    """Many of DICOM devices carry an AE title alone."""
    device = authority.certify("device", host="URI:dicom:RECONTOUR")
    tls = {"enabled": True, "port": free_port(), **device.settings()}
    settings = settings_for(tmp_path, dicom={"port": 0, "tls": tls})
    store = open_store(settings)
    inbox = Inbox(settings.data_folder, store.instances, reserve_mb=0)
    with listening_node(settings, store, inbox) as node:
        echo(over_tls(node), calling_ae_title="TPS", tls=tls_of(theirs))


@pytest.mark.parametrize(
    ("host", "kind", "value", "same"),
    [
        ("tps.example.org", "DNS", "TPS.example.org", True),
        ("tps.example.org", "DNS", "*.example.org", True),
        ("a.tps.example.org", "DNS", "*.example.org", False),
        ("example.org", "DNS", "*.example.org", False),
        ("tps", "DNS", "*.", False),
        ("10.0.0.1", "IP Address", "10.0.0.1", True),
        ("10.0.0.1", "IP Address", "10.0.0.2", False),
        ("10.0.0.1", "DNS", "10.0.0.1", True),
        ("::1", "IP Address", "0:0:0:0:0:0:0:1\n", True),
        ("tps.example.org", "IP Address", "10.0.0.1", False),
    ],
)
def test_a_host_is_one_of_those_the_certificate_names(
    host: str, kind: str, value: str, same: bool
) -> None:
    assert _is_for(host, kind, value) is same


# --- our own files


def test_a_key_that_others_may_read_is_refused(authority: Authority) -> None:
    certificate = authority.certify("careless")
    certificate.private_key.chmod(0o640)
    with pytest.raises(ConfigError, match=r"mode 0640.*chmod 600"):
        server_context(tls_of(certificate))


@pytest.mark.parametrize("key", ["certificate", "private_key", "authorities"])
def test_a_missing_file_is_named(key: str, ours: Certificate, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"dicom.tls.{key}: there is no file .*nowhere"):
        server_context(tls_of(ours, **{key: tmp_path / "nowhere"}))


def test_a_key_of_another_certificate_is_refused(ours: Certificate, theirs: Certificate) -> None:
    with pytest.raises(ConfigError, match="are not a certificate and its private key"):
        server_context(tls_of(ours, private_key=theirs.private_key))


def test_an_encrypted_key_is_refused_and_asks_nobody(ours: Certificate, tmp_path: Path) -> None:
    encrypted = tmp_path / "encrypted.key"
    openssl = ["openssl", "rsa", "-aes256", "-passout", "pass:secret", "-out", str(encrypted)]
    subprocess.run([*openssl, "-in", str(ours.private_key)], check=True, capture_output=True)
    encrypted.chmod(0o600)
    with pytest.raises(ConfigError, match="the key not encrypted"):
        server_context(tls_of(ours, private_key=encrypted))


def test_authorities_that_are_none_are_refused(ours: Certificate, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.crt"
    nothing.write_text("nothing\n")
    with pytest.raises(ConfigError, match=r"dicom.tls.authorities: nothing.crt holds no"):
        server_context(tls_of(ours, authorities=nothing))


def test_a_peer_that_speaks_tls_is_not_called_without_our_certificate(node: Node) -> None:
    with pytest.raises(ConfigError, match="node speaks TLS"):
        client_arguments(over_tls(node), None)


def test_relative_paths_are_taken_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    tls = settings_for(tmp_path).dicom.tls
    assert tls.certificate == tmp_path / "tls" / "node.crt"
    assert tls.private_key == tmp_path / "tls" / "node.key"
    assert tls.authorities == tmp_path / "tls" / "authorities.crt"


# --- DCMTK


def dcmtk(program: str, node: Node, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    port = str(node.settings.dicom.tls.port)
    ends = ("-aet", "TPS", "-aec", "RECONTOUR", "127.0.0.1", port)
    command = [str(require_program(program)), *map(str, arguments[:-1]), *ends]
    rest = arguments[-1]
    command += [str(rest)] if rest else []
    environment = os.environ | {"TCP_NODELAY": "1"}
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, env=environment
    )


def as_dcmtk(certificate: Certificate) -> tuple[str | Path, ...]:
    files = (certificate.private_key, certificate.certificate)
    return ("+tls", *files, "+cf", certificate.authorities)


@pytest.mark.peer
def test_echoscu_and_storescu_speak_tls_with_us(
    node: Node, theirs: Certificate, tmp_path: Path
) -> None:
    echoed = dcmtk("echoscu", node, *as_dcmtk(theirs), "")
    assert echoed.returncode == 0, echoed.stderr
    (path,) = written(ct_series()[:1], tmp_path / "outgoing")
    sent = dcmtk("storescu", node, *as_dcmtk(theirs), path)
    assert sent.returncode == 0, sent.stderr
    assert len(node.files()) == 1


@pytest.mark.peer
def test_echoscu_without_a_certificate_or_with_a_strangers_is_refused(
    node: Node, stranger: Certificate, theirs: Certificate
) -> None:
    anonymous = dcmtk("echoscu", node, "+tla", "+cf", theirs.authorities, "")
    assert anonymous.returncode != 0
    files = ("+tls", stranger.private_key, stranger.certificate, "+cf", theirs.authorities)
    assert dcmtk("echoscu", node, *files, "").returncode != 0
    echo(node.peer, calling_ae_title="TPS")


@pytest.mark.peer
def test_we_send_over_tls_to_storescp(
    ours: Certificate, theirs: Certificate, tmp_path: Path
) -> None:
    port = free_port()
    received = tmp_path / "received"
    received.mkdir()
    command = [str(require_program("storescp")), *map(str, as_dcmtk(theirs)), "-od", str(received)]
    with subprocess.Popen([*command, str(port)], stderr=subprocess.DEVNULL) as storescp:
        try:
            peer = PeerSettings(name="TPS", ae_title="TPS", host="127.0.0.1", port=port, tls=True)
            wait_for(lambda: _is_open(port), timeout_s=20, what="storescp")
            paths = written(ct_series(), tmp_path / "outgoing")
            sent = send_instances(paths, peer, calling_ae_title="RECONTOUR", tls=tls_of(ours))
            assert len(sent) == len(list(received.iterdir())) == len(paths)
        finally:
            storescp.terminate()


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
