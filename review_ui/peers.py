"""Whether peers hear us: a C-ECHO by the press of a button."""

from __future__ import annotations

import time
from typing import Any

from apiflask import APIBlueprint, abort

from core.config import PeerSettings
from core.errors import DeliveryError
from core.group_store import UNDECIDED
from core.records import Instance
from review_ui.context import Desk, desk
from review_ui.groups import my_sight
from review_ui.words import readable_date, readable_name

SHOWN_WITHOUT_CT = 20

blueprint = APIBlueprint("peers", __name__)


@blueprint.post("/api/peers/<name>/echo")
def echo(name: str) -> dict[str, Any]:
    """Ask a peer now whether it hears us; what came of it, in words."""
    room = desk()
    peer = next((p for p in room.settings.peers if p.name == name), None)
    if peer is None or room.ask_peer is None:
        abort(404, "There is no such peer in config.yaml.")
    begun = time.monotonic()
    try:
        room.ask_peer(peer)
    except DeliveryError as error:
        return {"hears_us": False, "words": str(error)}
    return {
        "hears_us": True,
        "words": f"{peer.name} answers, after {time.monotonic() - begun:.2f} s.",
    }


def peers_of(room: Desk) -> list[dict[str, Any]]:
    """The peers of config.yaml for the status page."""
    return [{"name": peer.name, "words": _in_words(peer)} for peer in room.settings.peers]


def without_ct(room: Desk) -> list[dict[str, str]]:
    """Doses and contours whose CT is not here, and how to fetch it."""
    sight = my_sight()
    if sight is not None and UNDECIDED not in sight:
        return []  # nobody can say yet whose they will be
    found = room.store.query.without_ct(newest=SHOWN_WITHOUT_CT)
    return [
        {
            "patient": readable_name(i.header.patient_name) or i.header.patient_id,
            "words": f"{i.header.modality} of {readable_date(i.header.study_date)}, without its CT",
            "fetch": f"recontour fetch --from {_sender_of(room, i)!r} "
            f"--study {i.header.study_instance_uid}",
            "received_at": i.received_at.isoformat(),
        }
        for i in found
    ]


def _sender_of(room: Desk, found: Instance) -> str:
    """The peer that sent it: who pushed the dose may have the CT too."""
    senders = [p for p in room.settings.peers if p.ae_title.strip() == found.calling_ae_title]
    return senders[0].name if senders else room.settings.peers[0].name


def _in_words(peer: PeerSettings) -> str:
    line = " over TLS" if peer.tls else ""
    return f"{peer.ae_title} at {peer.host}:{peer.port}{line}"
