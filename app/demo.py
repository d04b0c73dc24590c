"""`recontour demo`: a node and a synthetic clinic on this machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.progress import Progress

from app.clinic import Physician, running_tps, wait_for
from app.clinic_dicom import SyntheticPatient, write_patient
from app.demo_check import go_round
from app.process import stop_on_signal
from core.config import PeerSettings, Settings, load_settings
from core.errors import DeliveryError, RecontourError
from core.store import open_store
from dicom_node.network.scu import echo, send_instances
from review_ui import create_app
from review_ui.accounts import create_user, set_password, user_exists

SEEDS = (11, 12, 13)
SPACING_MM = (4.0, 2.0, 2.0)
# `recontour train --cold-start` builds one of many times the size.
STARTING_PATIENTS, STARTING_STEPS = 16, 240
USERNAME = "physician"
console = Console()


def run_demo(config: Path, folder: Path, *, check: bool) -> int:
    """Run the demo; stays up until Ctrl+C, or verifies the loop once. Returns the exit code.

    The check starts from nothing each time, without a starting model, in a folder of its own below
    `folder`.
    """
    folder = folder.resolve()
    if check:
        folder /= "check"
        shutil.rmtree(folder, ignore_errors=True)
    demo_config = write_demo_config(config, folder)
    settings = load_settings(demo_config)
    password = secrets.token_urlsafe(9)
    _prepare_account(settings, password)
    if not check:
        _build_starting_model(demo_config, settings)
    destination = settings.peers[0]
    with ExitStack() as stack:
        tps = stack.enter_context(
            running_tps(folder / "tps", ae_title=destination.ae_title, port=destination.port)
        )
        node = _start_node(demo_config, folder / "node.log")
        stack.callback(_stop, node)
        try:
            patients = _push_patients(settings, folder / "patients")
            physician = _log_in(settings, password)
            _wait_until_assembled(physician, patients)
            _say_where(settings, password, folder)
            if check:
                return go_round(settings, physician, tps, patients, console)
            _stay_up(node)
        except RecontourError as error:
            console.print(f"[red]{error}[/red]\nThe node's log is {folder / 'node.log'}")
            return 1
    return 0


def _prepare_account(settings: Settings, password: str) -> None:
    page = create_app(settings, open_store(settings))
    if user_exists(page, USERNAME):
        set_password(page, USERNAME, password)
    else:
        create_user(page, USERNAME, password)


def _build_starting_model(config: Path, settings: Settings) -> None:
    """A small one, in a minute or two: enough to see proposals, not to judge them."""
    roi_name = settings.structures[0].name
    if open_store(settings).learning.released(roi_name) is not None:
        return
    console.print(
        "A small starting model learns from synthetic patients. It takes a minute or two, once; "
        "Ctrl+C skips it, and the first cases are contoured from scratch."
    )
    command = [sys.executable, "-m", "app.cli", "train", "--cold-start", "--config", str(config)]
    size = ["--patients", str(STARTING_PATIENTS), "--steps", str(STARTING_STEPS)]
    with contextlib.suppress(KeyboardInterrupt):  # it keeps a checkpoint
        subprocess.run([*command, *size], check=False)  # noqa: S603 (our own module)


def write_demo_config(config: Path, folder: Path) -> Path:
    """config.yaml with the demo's folder, free ports, a short quiet time and a short hold."""
    folder.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = yaml.safe_load(config.read_text())
    values["data_folder"] = str(folder / "data")
    values["dicom"]["quiet_time_s"] = 2
    values["review"]["hold_s"] = 5
    taken: set[int] = set()
    for section in (values["dicom"], values["peers"][0], values["review"]):
        section["port"] = _free_port(section["port"], taken)
        taken.add(section["port"])
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def _free_port(wanted: int, taken: set[int]) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found = int(probe.getsockname()[1])
            if found not in taken:
                return found
    raise RecontourError("No TCP port is free on this machine.")


def _start_node(config: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", "app.cli", "run", "--config", str(config)],
            stdout=file,
            stderr=file,
            env={**os.environ, "RECONTOUR_PARENT": str(os.getpid())},
        )


def _stop(node: subprocess.Popen[bytes]) -> None:
    node.terminate()
    try:
        node.wait(timeout=20)
    except subprocess.TimeoutExpired:
        node.kill()


def _push_patients(settings: Settings, folder: Path) -> list[SyntheticPatient]:
    peer = PeerSettings(
        name="the node",
        ae_title=settings.dicom.ae_title,
        host=settings.dicom.host,
        port=settings.dicom.port,
    )
    caller = settings.peers[0].ae_title  # the node answers nobody else

    def hears_us() -> bool:
        echo(peer, calling_ae_title=caller)
        return True

    patients = []
    with Progress(console=console, transient=False) as progress:
        waiting = progress.add_task("Starting the node", total=None)
        wait_for(hears_us, timeout_s=90, what="the node to answer C-ECHO")
        progress.update(waiting, total=1, completed=1)
        for number, seed in enumerate(SEEDS, 1):
            name = f"Patient {number} of {len(SEEDS)}: CT and dose by C-STORE"
            task = progress.add_task(name, total=None)
            patient = write_patient(folder / str(seed), seed, spacing_mm=SPACING_MM)
            paths = [*patient.ct_paths, patient.dose_path]
            progress.update(task, total=len(paths))
            for start in range(0, len(paths), 20):
                batch = paths[start : start + 20]
                send_instances(batch, peer, calling_ae_title=caller)
                progress.advance(task, len(batch))
            patients.append(patient)
    return patients


def _log_in(settings: Settings, password: str) -> Physician:
    physician = Physician(page_address(settings), USERNAME, password)

    def logged_in() -> bool:
        physician.log_in()
        return True

    wait_for(logged_in, timeout_s=90, what="the review page to let us in")
    return physician


def page_address(settings: Settings) -> str:
    """Where a browser on this machine finds the review page."""
    return f"http://{settings.review.host}:{settings.review.port}"


def _wait_until_assembled(physician: Physician, patients: list[SyntheticPatient]) -> None:
    def all_there() -> bool:
        states = [case["state"] for case in physician.worklist()]
        return len(states) >= len(patients) and "RECEIVING" not in states

    with console.status("Waiting until the series fall quiet and become cases ..."):
        wait_for(all_there, timeout_s=120, what="the cases to be assembled")


def _say_where(settings: Settings, password: str, folder: Path) -> None:
    console.print(
        f"\n[bold]Review page[/bold]  {page_address(settings)}"
        f"\n[bold]Login[/bold]        {USERNAME} / {password}"
        f"\n[bold]DICOM node[/bold]   {settings.dicom.ae_title} at "
        f"{settings.dicom.host}:{settings.dicom.port}"
        f"\n[bold]Data[/bold]         {folder}"
        "\n\nThe patients are phantoms and their doses are synthetic. Not a medical device.\n"
    )


def _stay_up(node: subprocess.Popen[bytes]) -> None:
    console.print("Ctrl+C ends the demo. What you painted and approved is kept for the next time.")
    stop = stop_on_signal()
    while not stop.wait(0.5):
        if node.poll() is not None:
            raise DeliveryError("The node has ended by itself.")
