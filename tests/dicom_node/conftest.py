"""A listening node over loopback, with a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config import Settings
from core.store import Store, open_store
from dicom_node.network.inbox import Inbox
from tests.dicom_node.nodes import Node, listening_node
from tests.support.settings import peer_values, settings_for


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(
        tmp_path,
        dicom={"port": 0, "network_timeout_s": 10},
        disk_reserve_mb=1,
        peers=[peer_values(name) for name in ("TPS", "SENDER0", "SENDER1", "SENDER2", "SENDER3")],
    )


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings)


@pytest.fixture
def inbox(settings: Settings, store: Store) -> Inbox:
    return Inbox(settings.data_folder, store.instances, reserve_mb=settings.disk_reserve_mb)


@pytest.fixture
def node(settings: Settings, store: Store, inbox: Inbox) -> Iterator[Node]:
    with listening_node(settings, store, inbox) as listening:
        yield listening
