"""Nodes for the doctor to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.checks.finding import Finding, State
from app.doctor import diagnose
from core.config import Settings, load_settings
from core.store import open_store
from dicom_node.network.inbox import Inbox
from tests.dicom_node.nodes import Node, listening_node
from tests.support.settings import free_port, peer_values, write_config

OK, WARN, FAIL = State


def configured(folder: Path, *, tps_port: int | None = None, **changes: Any) -> Path:
    sections = {
        "dicom": {"port": free_port()},
        "review": {"port": free_port()},
        "peers": [peer_values("TPS", port=tps_port or free_port())],
        "disk_reserve_mb": 1,
    }
    for name, change in changes.items():
        both = isinstance(change, dict) and isinstance(sections.get(name), dict)
        sections[name] = {**sections[name], **change} if both else change  # type: ignore[dict-item]
    return write_config(folder, **sections)


def found(config: Path, check: str) -> Finding:
    (finding,) = [f for f in diagnose(config) if f.check.startswith(check)]
    assert finding.do or finding.state is OK
    return finding


def opened(config: Path) -> Settings:
    """The settings, with the store made as at a first start."""
    settings = load_settings(config)
    open_store(settings).engine.dispose()
    return settings


def database_of(settings: Settings) -> Path:
    return settings.data_folder / "recontour.db"


@contextmanager
def node_at(config: Path) -> Iterator[Node]:
    settings = load_settings(config)
    store = open_store(settings)
    inbox = Inbox(settings.data_folder, store.instances, reserve_mb=0)
    with listening_node(settings, store, inbox) as node:
        yield node
    store.engine.dispose()
