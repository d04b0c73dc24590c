"""A node among foreign peers: Orthanc and DCMTK's programs, with TLS or without."""

from __future__ import annotations

import os
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from app.clinic import wait_for
from app.committing import report_owed
from app.room import Room
from app.services import services_of
from core.config import PeerSettings
from core.query_store import Scope
from core.store import open_store
from dicom_node.network.commitment import Report
from dicom_node.network.inbox import Inbox
from dicom_node.network.scp import listening
from dicom_node.network.scu import echo
from dicom_node.network.services import on_n_event_report
from tests.support.certificates import Authority, Certificate
from tests.support.orthanc import Orthanc, running_orthanc
from tests.support.peers import require_program
from tests.support.settings import free_port, peer_values, settings_for
from tests.support.tunnel import tls_tunnel

# DCMTK leaves Nagle's algorithm on otherwise, and waits 50 ms with each instance.
_ENVIRONMENT = os.environ | {"TCP_NODELAY": "1"}
# Programs of DCMTK that speak no TLS: they get a tunnel.
WITHOUT_TLS = frozenset({"movescu", "getscu", "dcmqrscp"})


@dataclass(frozen=True)
class Site:
    """A node and its peers.

    `port` is where the peers call the node; those that speak no TLS call `plain_port`, with a
    tunnel behind it where the site speaks TLS.
    """

    room: Room
    port: int
    plain_port: int
    orthanc: Orthanc
    storescp_folder: Path
    certificate: Certificate | None
    reports: list[Report] = field(default_factory=list)

    def on_report(self, event: evt.Event) -> tuple[int, None]:
        """Take a commitment report that comes on the association that asked."""
        return on_n_event_report(event, self.took)

    def took(self, report: Report, _ae_title: str) -> bool:
        """Keep a commitment report for the test to look at."""
        self.reports.append(report)
        return True

    def peer(self, name: str) -> PeerSettings:
        return self.room.settings.peer_named(name)

    def held(self, series: Sequence[Dataset]) -> set[str]:
        """SOP Instance UIDs of what the node holds of a series."""
        scope = Scope(series_instance_uids=(str(series[0].SeriesInstanceUID),))
        return {i.header.sop_instance_uid for i in self.room.store.query.instances(scope)}

    @contextmanager
    def worker(self) -> Iterator[None]:
        """What the node's worker does for commitments, while the block runs."""
        done = threading.Event()

        def work() -> None:
            while not done.wait(0.2):
                # Not on the association that asked: that is tested beside this.
                for owed in self.room.store.owed.due(now=self.room.now() + timedelta(minutes=1)):
                    report_owed(self.room, owed.id)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    @contextmanager
    def called(
        self, contexts: Sequence[PresentationContext], *, roles: Sequence[Any] = ()
    ) -> Iterator[Association]:
        """The node, called by a foreign AE (pynetdicom)."""
        association = AE("FOREIGN").associate(
            "127.0.0.1",
            self.port,
            contexts=list(contexts),
            ae_title="RECONTOUR",
            ext_neg=list(roles),
            tls_args=_python_tls(self.certificate),
        )
        assert association.is_established
        try:
            yield association
        finally:
            association.release()

    def dcmtk(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of DCMTK's programs against the node."""
        tls = [] if program in WITHOUT_TLS else _dcmtk_tls(self.certificate)
        port = self.plain_port if program in WITHOUT_TLS else self.port
        ends = ("-aet", "DCMTK", "-aec", "RECONTOUR", "127.0.0.1", str(port))
        # Options, then the address, then files.
        files = [a for a in arguments if isinstance(a, Path)]
        options = [a for a in arguments if not isinstance(a, Path)]
        command = [
            str(require_program(program)),
            *tls,
            *options,
            *ends,
            *map(str, files),
        ]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, env=_ENVIRONMENT, timeout=60
        )


@contextmanager
def running_site(folder: Path, *, tls: bool) -> Iterator[Site]:
    """Everything started and answering, while the block runs."""
    authority = Authority(folder / "certificates") if tls else None
    ours = authority.certify("node") if authority else None
    theirs = authority.certify("peers") if authority else None
    port, orthanc_port, storescp_port = free_port(), free_port(), free_port()
    peers = [
        peer_values("TPS", port=orthanc_port, tls=tls, ask_commitment=True),
        peer_values("DCMTK", port=storescp_port, tls=tls),
        peer_values("FOREIGN", port=free_port(), tls=tls),
    ]
    dicom: dict[str, object] = {"port": 0 if tls else port, "quiet_time_s": 0}
    if ours is not None:
        dicom["tls"] = {"enabled": True, "port": port, **ours.settings()}
    settings = settings_for(folder, dicom=dicom, peers=peers, disk_reserve_mb=1)
    room = Room(settings, open_store(settings))
    inbox = Inbox(settings.data_folder, room.store.instances, reserve_mb=0)
    with ExitStack() as stack:
        reports: list[Report] = []

        def took(report: Report, _ae_title: str) -> bool:
            reports.append(report)
            return True

        services = replace(services_of(room), take_report=took)
        stack.enter_context(listening(settings.dicom, settings.peers, inbox, services))
        orthanc = stack.enter_context(
            running_orthanc(
                folder / "orthanc",
                node_ae_title="RECONTOUR",
                node_port=port,
                dicom_port=orthanc_port,
                certificate=theirs,
            )
        )
        received = folder / "storescp"
        stack.enter_context(_storescp(received, storescp_port, theirs))
        plain_port = port
        if theirs is not None:
            plain_port = stack.enter_context(tls_tunnel(theirs, port, callers_speak_tls=False))
        site = Site(room, port, plain_port, orthanc, received, theirs, reports)
        _wait_for_echo(site)
        yield site


@contextmanager
def _storescp(folder: Path, port: int, certificate: Certificate | None) -> Iterator[None]:
    folder.mkdir()
    command = [
        str(require_program("storescp")),
        *_dcmtk_tls(certificate),
        *("+xa", "-od", str(folder), str(port)),  # every transfer syntax
    ]
    process = subprocess.Popen(
        command, env=_ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _dcmtk_tls(certificate: Certificate | None) -> list[str]:
    if certificate is None:
        return []
    files = [str(certificate.private_key), str(certificate.certificate)]
    return ["+tls", *files, "+cf", str(certificate.authorities)]


def _python_tls(certificate: Certificate | None) -> tuple[ssl.SSLContext, str] | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(cafile=certificate.authorities)
    context.load_cert_chain(certificate.certificate, certificate.private_key)
    return context, "127.0.0.1"


def _wait_for_echo(site: Site) -> None:
    ours = site.room.settings.dicom

    def answers(name: str) -> bool:
        echo(site.peer(name), calling_ae_title=ours.ae_title, tls=ours.tls)
        return True

    for name in ("TPS", "DCMTK"):
        wait_for(partial(answers, name), timeout_s=30, what=f"{name} to answer", every_s=0.1)
