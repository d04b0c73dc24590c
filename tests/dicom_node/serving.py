"""A node that answers queries, retrieves and commitments, and the peers it speaks with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from app.room import Room
from app.services import services_of
from core.config import Settings
from core.store import open_store
from dicom_node.network.contexts import (
    PLAIN_SYNTAXES,
    STORAGE_COMMITMENT,
    STORED,
    TRANSFER_SYNTAXES,
)
from dicom_node.network.inbox import Inbox
from dicom_node.network.scp import listening
from tests.dicom_node.nodes import Node
from tests.support.room import receive
from tests.support.settings import free_port, peer_values, settings_for
from tests.support.synthetic_dicom import written


@dataclass(frozen=True)
class Serving(Node):
    """A listening node with its room."""

    room: Room = field(kw_only=True)
    folder: Path = field(kw_only=True)

    def hold(self, datasets: Sequence[Dataset]) -> None:
        """Keep instances as if TPS had sent them."""
        receive(self.room, written(datasets, self.folder / "outgoing"))


def serving_settings(folder: Path, *peers: dict[str, Any], **dicom: Any) -> Settings:
    """Settings of a node on any free port that knows `peers`; `dicom` like ae_title="TPS"."""
    return settings_for(
        folder,
        dicom={"port": 0, "network_timeout_s": 10, "quiet_time_s": 0, **dicom},
        disk_reserve_mb=1,
        peers=list(peers) or [peer_values("TPS", port=free_port())],
    )


@contextmanager
def serving_node(folder: Path, *peers: dict[str, Any], **dicom: Any) -> Iterator[Serving]:
    """A node that offers everything, while the block runs."""
    folder.mkdir(exist_ok=True)
    settings = serving_settings(folder, *peers, **dicom)
    store = open_store(settings)
    room = Room(settings, store)
    inbox = Inbox(settings.data_folder, store.instances, reserve_mb=0)
    with listening(settings.dicom, settings.peers, inbox, services_of(room)) as port:
        yield Serving(port, settings, store, inbox, room=room, folder=folder)


@dataclass
class Foreign:
    """An AE of somebody else, and what came to it."""

    port: int
    stored: list[Dataset] = field(default_factory=list)
    syntaxes: list[str] = field(default_factory=list)
    reports: list[tuple[int | None, Dataset]] = field(default_factory=list)


@contextmanager
def foreign_ae(
    ae_title: str = "TPS",
    *,
    port: int = 0,
    syntaxes: Sequence[str] = TRANSFER_SYNTAXES,
    report_status: Callable[[], int] = lambda: 0x0000,
    store_status: Callable[[Dataset], int] = lambda _ds: 0x0000,
    on_action: Callable[[evt.Event], int] | None = None,
) -> Iterator[Foreign]:
    """A foreign AE (pynetdicom) that takes C-STORE and commitment reports."""
    foreign = Foreign(port)

    def on_store(event: evt.Event) -> int:
        foreign.stored.append(event.dataset)
        foreign.syntaxes.append(event.context.transfer_syntax)
        return store_status(event.dataset)

    def on_report(event: evt.Event) -> tuple[int, None]:
        foreign.reports.append((event.event_type, event.event_information))
        return report_status(), None

    def on_n_action(event: evt.Event) -> tuple[int, None]:
        return (on_action(event) if on_action else 0x0000), None

    ae = AE(ae_title)
    for sop_class in STORED:
        ae.add_supported_context(sop_class, list(syntaxes))
    ae.add_supported_context(STORAGE_COMMITMENT, list(PLAIN_SYNTAXES), scu_role=True, scp_role=True)
    server = ae.start_server(
        ("127.0.0.1", port),
        block=False,
        evt_handlers=[
            (evt.EVT_C_STORE, on_store),
            (evt.EVT_N_EVENT_REPORT, on_report),
            (evt.EVT_N_ACTION, on_n_action),
        ],
    )
    assert server is not None
    foreign.port = server.server_address[1]
    try:
        yield foreign
    finally:
        server.shutdown()
        ae.shutdown()
