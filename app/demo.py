"""`recontour demo`: a node and a synthetic clinic on this machine."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import Progress

from app import colleague
from app.clinic import PageError, Physician, running_tps, wait_for
from app.clinic_dicom import SyntheticPatient, phantom_called, write_patient
from app.clinic_node import (
    alone_in,
    logged_in,
    node_as_peer,
    page_address,
    prepare_account,
    running_node,
    starting_alone,
    wait_until_it_hears,
    write_clinic_config,
)
from app.demo_background import Background
from app.demo_check import go_round
from core.config import Settings, load_settings
from core.errors import DeliveryError, RecontourError
from dicom_node.network.scu import send_instances

SEEDS = (11, 12, 13)
SPACING_MM = (4.0, 2.0, 2.0)
USERNAME = "physician"
# One person sees all there is to see of a case and of the cohort.
ROLES = ("physician", "physicist")
# The page is shown then, with proposals or without.
PAGE_WITHIN_S = 100.0
console = Console()


def run_demo(config: Path, folder: Path, *, check: bool) -> int:
    """Run the demo; stays up until Ctrl+C, or verifies the loop once. Returns the exit code.

    The check starts from nothing each time, without a starting model, in a folder of its own below
    `folder`.
    """
    folder = folder.resolve()
    if check:
        folder /= "check"
    try:
        with _ended_like_ctrl_c(), alone_in(folder):
            if check:
                _empty(folder)
            return _run(config, folder, check=check)
    except KeyboardInterrupt:
        console.print("\nThe demo has ended. The next one goes on where you left off.")
        return 0


def _run(config: Path, folder: Path, *, check: bool) -> int:
    shown_by = time.monotonic() + PAGE_WITHIN_S
    with ExitStack() as stack:
        try:
            with starting_alone(config):
                demo_config = write_clinic_config(config, folder, {"review": {"tour": True}})
                settings = load_settings(demo_config)
                destination = settings.peers[0]
                tps = stack.enter_context(
                    running_tps(
                        folder / "tps", ae_title=destination.ae_title, port=destination.port
                    )
                )
                passwords = {n: secrets.token_urlsafe(9) for n in (USERNAME, colleague.USERNAME)}
                for name, password in passwords.items():
                    prepare_account(settings, name, password, *ROLES)
                only = () if check else ("node", "worker", "review")
                log = folder / "node.log"
                node = stack.enter_context(running_node(demo_config, log, only=only))
                with console.status("The node starts ..."):
                    wait_until_it_hears(settings)
                    physician = logged_in(settings, USERNAME, passwords[USERNAME])
            second = logged_in(settings, colleague.USERNAME, passwords[colleague.USERNAME])
            if check:
                patients = _push_patients(settings, folder / "patients")
                _wait_until_assembled(physician, patients)
                return go_round(settings, (physician, second), tps, patients, console)
            background = Background(settings, demo_config, folder, second, SPACING_MM)
            stack.enter_context(background.running())
            patients = _push_patients(settings, folder / "patients")
            _wait_until_assembled(physician, patients)
            _wait_for_proposals(physician, background, shown_by)
            _say_where(settings, passwords[USERNAME], folder)
            _stay_up(node)
        except RecontourError as error:
            console.print(f"[red]{error}[/red]\nThe node's log is {folder / 'node.log'}")
            return 1
    return 0


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM means what Ctrl+C means: everything that was started is ended."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _empty(folder: Path) -> None:
    """Remove what an earlier check left, but for the lock that we hold."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix != ".lock":
            path.unlink()


def _push_patients(settings: Settings, folder: Path) -> list[SyntheticPatient]:
    peer, caller = node_as_peer(settings), settings.peers[0].ae_title
    patients = []
    with Progress(console=console, transient=False) as progress:
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
        states = _states(physician)
        return len(states) >= len(patients) and "RECEIVING" not in states

    with console.status("Waiting until the series fall quiet and become cases ..."):
        wait_for(all_there, timeout_s=120, what="the cases to be assembled")


def _states(physician: Physician) -> list[str]:
    """Of the patients that wait for the person at the screen, not of the colleague's."""
    ours = {phantom_called(seed).patient_id for seed in SEEDS}
    return [case["state"] for case in physician.worklist() if case["patient"]["id"] in ours]


def _wait_for_proposals(physician: Physician, background: Background, until: float) -> None:
    """Until every case has a proposal, none can come, or `until` of the monotonic clock."""

    def settled() -> bool:
        return "ASSEMBLED" not in _states(physician) or background.has_no_model()

    words = "A small starting model learns from synthetic patients: a minute or two, only this once"
    left_s = max(0.0, until - time.monotonic())
    try:
        with console.status(f"{words} ..."):
            wait_for(settled, timeout_s=left_s, what="the proposals", every_s=0.5)
    except PageError:
        console.print("The starting model still learns; proposals appear when it is done.")


def _say_where(settings: Settings, password: str, folder: Path) -> None:
    console.print(
        f"\n[bold]Review page[/bold]  {page_address(settings)}"
        f"\n[bold]Login[/bold]        {USERNAME} / {password}"
        f"\n[bold]DICOM node[/bold]   {settings.dicom.ae_title} at "
        f"{settings.dicom.host}:{settings.dicom.port}"
        f"\n[bold]Data[/bold]         {folder}"
        "\n\nThe patients are phantoms and their doses are synthetic. Meanwhile a simulated "
        f"physician ({colleague.USERNAME})\nreviews phantoms of its own, so that the model learns "
        "and its curves have a history. Not a medical device.\n"
    )


def _stay_up(node: subprocess.Popen[bytes]) -> None:
    console.print("Ctrl+C ends the demo. What you painted and approved is kept for the next time.")
    never = threading.Event()
    try:
        while not never.wait(0.5):
            if node.poll() is not None:
                raise DeliveryError("The node has ended by itself.")
    except KeyboardInterrupt:
        console.print("\nEnding: what runs keeps its place. It takes some seconds ...")
        raise
