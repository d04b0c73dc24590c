"""`recontour demo`: a node and a synthetic clinic on this machine."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from app.clinic import Physician, running_tps, wait_for
from app.clinic_dicom import SyntheticPatient, write_patient
from app.clinic_node import (
    logged_in,
    node_as_peer,
    page_address,
    prepare_account,
    running_node,
    wait_until_it_hears,
    write_clinic_config,
)
from app.demo_check import go_round
from app.process import stop_on_signal
from core.config import Settings, load_settings
from core.errors import DeliveryError, RecontourError
from core.store import open_store
from dicom_node.network.scu import send_instances

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
    demo_config = write_clinic_config(config, folder)
    settings = load_settings(demo_config)
    password = secrets.token_urlsafe(9)
    prepare_account(settings, USERNAME, password)
    if not check:
        _build_starting_model(demo_config, settings)
    destination = settings.peers[0]
    with ExitStack() as stack:
        tps = stack.enter_context(
            running_tps(folder / "tps", ae_title=destination.ae_title, port=destination.port)
        )
        node = stack.enter_context(running_node(demo_config, folder / "node.log"))
        try:
            patients = _push_patients(settings, folder / "patients")
            physician = logged_in(settings, USERNAME, password)
            _wait_until_assembled(physician, patients)
            _say_where(settings, password, folder)
            if check:
                return go_round(settings, physician, tps, patients, console)
            _stay_up(node)
        except RecontourError as error:
            console.print(f"[red]{error}[/red]\nThe node's log is {folder / 'node.log'}")
            return 1
    return 0


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


def _push_patients(settings: Settings, folder: Path) -> list[SyntheticPatient]:
    peer, caller = node_as_peer(settings), settings.peers[0].ae_title
    patients = []
    with Progress(console=console, transient=False) as progress:
        waiting = progress.add_task("Starting the node", total=None)
        wait_until_it_hears(settings)
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
