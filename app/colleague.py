"""The second account of the demo: a simulated physician who reviews phantoms of its own.

It sends, opens, paints and approves as a clinic and a person do, by DICOM and the page's requests,
and never touches a case that is not among its own or that somebody else has opened.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from app.clinic import Physician, TakenError, wait_for
from app.clinic_dicom import SyntheticPatient, phantom_called, write_patient
from app.clinic_node import node_as_peer
from app.experiment.clock import Clock
from app.experiment.physician import opinion_of
from app.experiment.review import contour
from core.config import Settings
from core.geometry import Mask
from dicom_node.network.scu import send_instances

USERNAME = "simulated-physician"
# Its phantoms. It reviews three, then learning begins; another after the first round. The others
# wait for whoever wants them.
SEEDS = (31, 32, 33, 34, 35, 36)
AT_FIRST, REVIEWED = 3, 4
UNTOUCHED = {"ASSEMBLED", "PREDICTED"}
PREDICTED_WITHIN_S = 300.0
LEARNED_WITHIN_S = 900.0
# A review takes some minutes; it is reported as done before it was sent.
_BEGUN_BEFORE = timedelta(minutes=30)


class Stopped(Exception):  # noqa: N818 (nothing is wrong)
    """The demo ends."""


def all_was_learned(status: Mapping[str, Any]) -> bool:
    """Whether a round over all that is approved has ended, by the answer of /api/status."""
    approved = sum(status["learning_set"].values())
    return any(r["state"] == "DONE" and r["examples"] == approved for r in status["rounds"])


def review(page: Physician, case_id: str, patient: SyntheticPatient) -> Mask | None:
    """Correct a case and approve it; the mask, or None where somebody else has it."""
    truth, geometry = patient.phantom.heart, patient.phantom.volume.geometry
    seed = int(str(patient.phantom.facts["seed"]))
    opinion = opinion_of(truth, geometry, np.random.default_rng([seed, 1]))
    try:
        page.open(case_id)
        proposed = page.proposal(case_id, truth.shape)
        made, done = contour(proposed, opinion, np.random.default_rng([seed, 2]))
        told = Clock(datetime.now(UTC) - _BEGUN_BEFORE).tell(done)
        page.correct(case_id, made.approved, slices_seen=made.slices_seen, done=told)
    except TakenError:
        return None
    return made.approved


@dataclass
class Colleague:
    """The account at work; `stop` ends it between two requests."""

    settings: Settings
    page: Physician
    folder: Path
    spacing_mm: tuple[float, float, float]
    stop: threading.Event

    def begin(self) -> None:
        """Send and review the first ones, of which nothing is learned yet."""
        for seed in SEEDS[:AT_FIRST]:
            self._work_on(seed, reviews=True)

    def go_on(self) -> None:
        """Review another after the first round, and send the others; goes on where it ended."""
        for number, seed in enumerate(SEEDS[AT_FIRST:], AT_FIRST):
            self._work_on(seed, reviews=number < REVIEWED, when_learned=True)

    def _work_on(self, seed: int, *, reviews: bool, when_learned: bool = False) -> None:
        """Send what is not there yet, and review it if nobody touched it."""
        known = self._case_of(seed)
        if known is not None and not (reviews and known["state"] in UNTOUCHED):
            return
        if reviews and when_learned:
            self._wait_until_it_was_learned()
        patient = write_patient(self.folder / str(seed), seed, spacing_mm=self.spacing_mm)
        self._send([*patient.ct_paths, patient.dose_path])
        if reviews:
            self._review(seed, patient)

    def _wait_until_it_was_learned(self) -> None:
        self._wait(
            lambda: all_was_learned(self.page.get_json("/api/status")),
            LEARNED_WITHIN_S,
            "a round over all that was approved",
        )

    def _review(self, seed: int, patient: SyntheticPatient) -> None:
        def there() -> dict[str, Any] | None:
            known = self._case_of(seed)
            if known is None or known["state"] == "RECEIVING":
                return None
            proposal_can_come = self.page.get_json("/api/status")["released"] is not None
            return None if proposal_can_come and known["state"] == "ASSEMBLED" else known

        known = self._wait(there, PREDICTED_WITHIN_S, "a proposal for the colleague's phantom")
        if known["state"] in UNTOUCHED:
            review(self.page, known["id"], patient)

    def _case_of(self, seed: int) -> dict[str, Any] | None:
        wanted = phantom_called(seed).patient_id
        cases = self.page.worklist()
        return next((case for case in cases if case["patient"]["id"] == wanted), None)

    def _send(self, paths: list[Path]) -> None:
        self._require_going_on()
        caller = self.settings.peers[0].ae_title
        send_instances(paths, node_as_peer(self.settings), calling_ae_title=caller)

    def _wait(self, condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
        def look() -> Any:
            self._require_going_on()
            return condition()

        return wait_for(look, timeout_s=timeout_s, what=what, every_s=1.0)

    def _require_going_on(self) -> None:
        if self.stop.is_set():
            raise Stopped
