"""Who answers: C-ECHO to the peers of the configuration, and a phantom to those that are named."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from app.checks.finding import State as Found
from app.checks.network import peer_finding
from app.clinic_contours import write_contours
from app.commissioning.check import Check, not_run, told
from app.commissioning.objects import FIRST_SEED, Scan, write_scan
from app.commissioning.round_trips import EVEN_MM, shell
from core.config import PeerSettings, Settings
from core.errors import RecontourError
from dicom_node.network.scu import send_instances
from dicom_node.objects.ct_reader import read_ct

GROUP = "Peers"
NUMBER = 900
_ECHO = "What is approved is sent there; called as a delivery would (PS3.4 Annex A)."
_STORE = "Every object must be answered with Success (PS3.4 B.2.3)."


def peer_checks(
    settings: Settings, folder: Path, *, echo: bool, send: Collection[str]
) -> Iterator[Check]:
    """An answer of each peer; nothing is sent but to those named in `send`."""
    for peer in settings.peers:
        name = f"C-ECHO to {peer.name}"
        if not echo:
            yield not_run(GROUP, name, "Peers are called with --peers alone.")
        else:
            finding = peer_finding(settings, peer)
            right = finding.state is Found.OK
            yield told(
                GROUP, name, f"{finding.found} {finding.do}".strip(), right=right, reason=_ECHO
            )
    for number, peer in enumerate(settings.peers):
        name = f"A phantom to {peer.name}"
        if peer.name in send:
            yield _sent(settings, peer, name, folder / str(number))
        else:
            yield not_run(GROUP, name, f"Nothing is sent unasked; ask with --send {peer.name}.")


def _sent(settings: Settings, peer: PeerSettings, name: str, folder: Path) -> Check:
    paths = write_scan(Scan(NUMBER, EVEN_MM, 64, 1.5), folder)
    ct = read_ct(paths)
    mask = shell(ct.geometry)
    paths.append(write_contours(folder / "RS.dcm", ct, mask, "Shell"))
    try:
        taken = send_instances(
            paths, peer, calling_ae_title=settings.dicom.ae_title, tls=settings.dicom.tls
        )
    except RecontourError as error:
        return told(GROUP, name, str(error), right=False, reason=_STORE)
    found = (
        f"{len(taken)} objects of patient PHANTOM-{FIRST_SEED + NUMBER} were taken; its structure "
        f"Shell has {ct.geometry.volume_cc(mask):.2f} cc. Compare there, then delete the patient."
    )
    return told(GROUP, name, found, right=True, reason=_STORE)
