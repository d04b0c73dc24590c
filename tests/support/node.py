"""The whole node as its own processes, as `recontour run` starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.clinic import Physician, wait_for
from app.peer import parse_peer
from core.config import Settings, load_settings
from core.errors import DeliveryError
from core.store import open_store
from dicom_node.network.scu import echo
from review_ui import create_app
from review_ui.accounts import create_user
from tests.support.settings import free_port, write_config

USERNAME, PASSWORD = "anna", "correct horse battery"


@dataclass
class RunningNode:
    """A node under its supervisor."""

    settings: Settings
    config: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.review.port}"

    def physician(self) -> Physician:
        """A simulated physician who has logged in."""
        physician = Physician(self.url, USERNAME, PASSWORD)

        def logged_in() -> bool:
            physician.log_in()
            return True

        wait_for(logged_in, timeout_s=60, what="the review page")
        return physician

    def children(self) -> dict[str, int]:
        """Process ids of the running roles."""
        found = {}
        for pid in children_of(self.process.pid):
            command = _command(pid)
            module = next((part for part in command if part.startswith("app.")), "")
            found[module.removeprefix("app.")] = pid
        return found


def children_of(pid: int) -> list[int]:
    """Process ids; none where it has ended."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def start(config: Path, log: Path, *options: str, **settings: str) -> subprocess.Popen[bytes]:
    """Start `recontour run`; `settings` are environment variables.

    It does not die with whoever started it: that would be the thread, and some threads of tests end
    before the node does. Its session is its own, as a service's: its processes give way to one
    another, and not to whatever else runs.
    """
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", "run", "--config", str(config), *options],
            stdout=file,
            stderr=file,
            env={**os.environ, **settings},
            start_new_session=True,
        )


def node_config(folder: Path, tps_port: int, **changes: Any) -> Path:
    """A configuration with free ports, quick reactions and one destination."""
    destination = {
        "name": "TPS",
        "ae_title": "TPS",
        "host": "127.0.0.1",
        "port": tps_port,
        "retry_first_s": 0.5,
        "retry_longest_s": 2.0,
    }
    sections: dict[str, Any] = {
        "dicom": {"port": free_port(), "quiet_time_s": 1.5},
        "review": {"port": free_port()},
        "peers": [destination],
        "jobs": {"poll_s": 0.2},
        "training": {"poll_s": 0.5},
    }
    for name, change in changes.items():
        merged = isinstance(change, dict)
        sections[name] = {**sections.get(name, {}), **change} if merged else change
    return write_config(folder, **sections)


@contextmanager
def running_node(folder: Path, tps_port: int, **changes: Any) -> Iterator[RunningNode]:
    """A node with an account, answering C-ECHO, while the block runs."""
    config = node_config(folder, tps_port, **changes)
    settings = load_settings(config)
    create_user(create_app(settings, open_store(settings)), USERNAME, PASSWORD, "physician")
    log = folder / "node.log"
    node = RunningNode(settings, config, log, start(config, log))
    try:
        wait_until_it_answers(node)
        yield node
    finally:
        node.process.terminate()
        node.process.wait(timeout=30)


def wait_until_it_answers(node: RunningNode) -> None:
    """Return when the node answers C-ECHO."""
    peer = parse_peer(f"{node.settings.dicom.ae_title}@127.0.0.1:{node.settings.dicom.port}")

    def answers() -> bool:
        try:
            echo(peer, calling_ae_title="TPS")
        except DeliveryError:
            return False
        return True

    wait_for(answers, timeout_s=60, what="the node to answer C-ECHO")
