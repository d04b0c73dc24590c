"""Ports, peers and certificates: what the node hears and whom it reaches."""

from __future__ import annotations

import errno
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from app.checks.finding import Finding, fail, ok, warn
from core.config import PeerSettings, Settings
from core.errors import ConfigError, DeliveryError
from dicom_node.implementation import IMPLEMENTATION_CLASS_UID
from dicom_node.network.scu import echo

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared, not listened on)
_REACHED_WITHIN_S = 5.0


def network(settings: Settings) -> Iterator[Finding]:
    """Findings about every port and peer of `settings`."""
    yield from ports(settings)
    with ThreadPoolExecutor(max_workers=8) as calls:
        yield from calls.map(lambda peer: peer_finding(settings, peer), settings.peers)


def ports(settings: Settings) -> Iterator[Finding]:
    """Findings about what the node itself listens on."""
    dicom = settings.dicom
    yield _dicom_port(settings, dicom.port, tls=False)
    if dicom.tls.enabled:
        yield _dicom_port(settings, dicom.tls.port, tls=True)
    yield _review_page(settings)


def _dicom_port(settings: Settings, port: int, *, tls: bool) -> Finding:
    check = f"DICOM port {port}{' (TLS)' if tls else ''}"
    taken = _taken(settings.dicom.host, port)
    if isinstance(taken, Finding):
        return Finding(check, taken.state, taken.found, taken.do)
    if not taken:
        return ok(check, "free; the node does not run")
    return _who_answers(settings, port, check, tls=tls)


def _who_answers(settings: Settings, port: int, check: str, *, tls: bool) -> Finding:
    """Call the port as each peer that may call from here, until one is let in."""
    dicom = settings.dicom
    ours = PeerSettings(
        name="the node",
        ae_title=dicom.ae_title,
        host=_ANY.get(dicom.host, dicom.host),
        port=port,
        tls=tls,
    )
    why = ""
    for ae_title in dict.fromkeys(p.ae_title for p in settings.peers if "echo" in p.rights):
        try:
            found = echo(ours, calling_ae_title=ae_title, tls=dicom.tls)
        except (DeliveryError, ConfigError) as error:
            why = str(error)
            continue
        if found == IMPLEMENTATION_CLASS_UID:
            return ok(check, f"{dicom.ae_title} answers C-ECHO")
        return fail(
            check,
            "another DICOM application answers there",
            "Stop it, or choose another port.",
        )
    return warn(
        check,
        f"in use; whether by the node cannot be told from here ({why or 'no peer may echo'})",
        "See that the node runs; else stop what has the port, or choose another.",
    )


def _review_page(settings: Settings) -> Finding:
    host, port = settings.review.host, settings.review.port
    check = f"review page port {port}"
    taken = _taken(host, port)
    if isinstance(taken, Finding):
        return Finding(check, taken.state, taken.found, taken.do)
    if not taken:
        return ok(check, "free; the review page does not run")
    url = f"{settings.review.local_url(_ANY.get(host, host))}/healthz"
    # Asked by an address that its certificate need not name; the files are looked at by themselves.
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(  # noqa: S310 (our own http or https)
            url, timeout=_REACHED_WITHIN_S, context=anyone
        ) as answer:
            healthy = answer.read(16) == b"ok"
    except (OSError, urllib.error.URLError, ValueError):
        healthy = False
    if healthy:
        return ok(check, f"the page answers{' over TLS' if url.startswith('https') else ''}")
    return fail(
        check, "in use, and not by the review page", "Stop what has it, or choose another port."
    )


def _taken(host: str, port: int) -> bool | Finding:
    """Whether somebody listens there; a finding where we could not listen at all."""
    if port == 0:
        return False
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Otherwise a connection that has just ended would seem to have the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True
        return fail(
            "",
            f"{host} cannot be listened on ({error.strerror})",
            "Name an address of this machine; below 1024 a port needs CAP_NET_BIND_SERVICE.",
        )
    return False


def peer_finding(settings: Settings, peer: PeerSettings) -> Finding:
    """Whether `peer` answers our C-ECHO; a destination that does not is a failure."""
    check = f"peer {peer.name}"
    is_destination = any(peer.name in rule.destinations for rule in settings.rules)
    trouble = fail if is_destination else warn
    where = f"{peer.ae_title} at {peer.host}:{peer.port}"
    try:
        socket.create_connection((peer.host, peer.port), timeout=_REACHED_WITHIN_S).close()
    except OSError as error:
        reason = error.strerror or "no answer within 5 s"
        return trouble(
            check,
            f"{where} cannot be reached ({reason})",
            "Check host and port, that it runs, and the firewalls between.",
        )
    try:
        echo(peer, calling_ae_title=settings.dicom.ae_title, tls=settings.dicom.tls)
    except (DeliveryError, ConfigError) as error:
        return trouble(check, str(error), "Mend it at the end that the sentence names.")
    return ok(check, f"{where} answers C-ECHO{' over TLS' if peer.tls else ''}")
