"""A node on this machine beside a synthetic clinic: its configuration, its processes, its door."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from app.clinic import LoginRefusedError, Physician, wait_for
from core.config import PeerSettings, Settings
from core.errors import RecontourError
from core.store import open_store
from dicom_node.network.scu import echo
from review_ui import create_app
from review_ui.accounts import create_user, set_password, user_exists

# Until processes answer after their start; on a machine that is busy otherwise it takes minutes.
START_S = 300.0
HERE = "127.0.0.1"
_LEADS_OUT = {
    "data_folder",
    "database_url",
    "dicom",
    "peers",
    "rules",
    "review",
    "audit",
    "alerts",
    "oidc",
}


def write_clinic_config(
    config: Path, folder: Path, changes: Mapping[str, Mapping[str, Any]] | None = None
) -> Path:
    """config.yaml with a folder of its own, free ports, a short quiet time and a short hold.

    Of a hospital's configuration nothing is left that reaches beyond this machine and `folder`:
    no database, no peer but a TPS here, no log server, no alert. `changes` by section go over
    what stands there. Raises `RecontourError` where an environment variable would go over that.
    """
    _require_no_way_out()
    folder.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = yaml.safe_load(config.read_text())
    _keep_within(values, folder)
    values["dicom"]["quiet_time_s"] = 2
    values["review"]["hold_s"] = 5
    for section, changed in (changes or {}).items():
        values[section] |= changed
    taken: set[int] = set()
    for section in (values["dicom"], values["peers"][0], values["review"]):
        section["port"] = _free_port(section["port"], taken)
        taken.add(section["port"])
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def _keep_within(values: dict[str, Any], folder: Path) -> None:
    values["data_folder"], values["database_url"] = str(folder / "data"), ""
    for section in ("alerts", "audit", "oidc"):  # all are off where nothing is said of them
        values.pop(section, None)
    values["dicom"]["host"] = HERE
    values["dicom"]["tls"]["enabled"] = False
    values["review"] |= {"host": HERE, "public_url": "", "tls": {}, "second_factor": "optional"}
    tps = values["peers"][0] | {"host": HERE, "tls": False, "addresses": []}
    values["peers"] = [tps]
    for rule in values["rules"]:  # who reviews the synthetic clinic is of no group
        rule |= {"destinations": [tps["name"]], "group": ""}


def _require_no_way_out() -> None:
    for name, value in os.environ.items():
        key = name.lower().removeprefix("recontour_").partition("__")[0]
        if value and name.lower().startswith("recontour_") and key in _LEADS_OUT:
            raise RecontourError(
                f"The environment variable {name} would lead the synthetic clinic to your own "
                f"node's data or peers. Start it without: env -u {name} recontour ..."
            )


@contextmanager
def starting_alone(config: Path) -> Iterator[None]:
    """Of all that start from `config` one at a time: a port is chosen before it is listened on."""
    with config.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Nobody else uses `folder` while the block runs; else `RecontourError` is raised."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "in-use.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecontourError(
                f"Another demo runs in {folder}. End it, or name another folder with --folder."
            ) from None
        yield


def _free_port(wanted: int, taken: set[int]) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HERE, port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
            if found not in taken:
                return found
    raise RecontourError("No TCP port is free on this machine.")


@contextmanager
def running_node(
    config: Path, log: Path, *, only: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """`recontour run` (of the processes in `only` alone) while the block runs, logging to `log`."""
    words = ["run", *(word for role in only for word in ("--only", role))]
    with running(words, config, log) as node:
        yield node


@contextmanager
def running(words: Sequence[str], config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command of ours while the block runs; what it says goes to `log`, and it ends with us."""
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", "app.cli", *words, "--config", str(config)],
            stdout=file,
            stderr=file,
            env={**os.environ, "RECONTOUR_PARENT": str(os.getpid())},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def node_as_peer(settings: Settings) -> PeerSettings:
    """How the clinic calls the node."""
    return PeerSettings(
        name="the node",
        ae_title=settings.dicom.ae_title,
        host=settings.dicom.host,
        port=settings.dicom.port,
    )


def wait_until_it_hears(settings: Settings) -> None:
    """Until the node answers a C-ECHO of the TPS."""
    caller = settings.peers[0].ae_title  # the node answers nobody else

    def hears_us() -> bool:
        echo(node_as_peer(settings), calling_ae_title=caller)
        return True

    wait_for(hears_us, timeout_s=START_S, what="the node to answer C-ECHO")


def prepare_account(settings: Settings, username: str, password: str, *roles: str) -> None:
    """An account with this password, whether it was there or not; a physician's unless told."""
    page = create_app(settings, open_store(settings))
    if user_exists(page, username):
        set_password(page, username, password)
    else:
        create_user(page, username, password, *roles)


def logged_in(settings: Settings, username: str, password: str) -> Physician:
    """Somebody at the review page, as soon as it lets them in."""
    physician = Physician(page_address(settings), username, password)

    def enters() -> bool:
        try:
            physician.log_in()
        except LoginRefusedError as error:  # our own page knows the account
            raise RecontourError(
                f"Another program answers at {page_address(settings)}: it took the port while the "
                "node started. Start again; another port is chosen then."
            ) from error
        return True

    wait_for(enters, timeout_s=START_S, what="the review page to let us in")
    return physician


def page_address(settings: Settings) -> str:
    """Where a browser on this machine finds the review page."""
    return settings.review.local_url()
