"""`recontour experiment`: the paper's experiment on a node that runs, patient after patient.

Only DICOM and the review page's requests are used, as by a clinic. Patients (or what bends them),
doses and physician are simulated; the physician's time is a model (`app/experiment/clock.py`).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from app.clinic import Physician, Tps, running_tps, wait_for
from app.clinic_arrivals import verify_at_the_tps
from app.clinic_contours import write_contours
from app.clinic_dicom import SyntheticPatient, write_patient, write_phantom
from app.clinic_node import (
    logged_in,
    node_as_peer,
    prepare_account,
    running_node,
    wait_until_it_hears,
    write_clinic_config,
)
from app.experiment import by_hand, clock
from app.experiment.physician import opinion_of
from app.experiment.review import contour, trainer_rests
from app.experiment.sizes import Planned, Size, stream_of
from app.warped import Scan, called_after, scans_in, warped
from core.config import Settings, load_settings
from core.files import read_json, write_json
from core.geometry import Mask
from core.records import MANUAL
from dicom_node.network.scu import send_instances
from dicom_node.objects.ct_reader import read_ct
from dose.difference import dice

PHYSICIAN, PHYSICIST = "physician", "physicist"
UNOPENED = {"ASSEMBLED", "PREDICTED"}
LEARNING_TIMEOUT_S = 3600.0
console = Console()


@dataclass
class Experiment:
    """A clinic at work: what it is told by, and where it stands."""

    seed: int
    settings: Settings
    folder: Path
    tps: Tps
    physician: Physician
    physicist: Physician
    clock: clock.Clock
    scans: Sequence[Scan]
    approved: list[tuple[SyntheticPatient, Mask]] = field(default_factory=list)

    def go_through(self, planned: Planned, *, learns: bool) -> dict[str, Any]:
        """One patient: pushed, predicted, contoured, and learned from; what came of it."""
        patient = self._made(planned)
        drawn = [self._drawn_in_the_tps(planned, patient)] if planned.is_compared else []
        self._push([*patient.ct_paths, patient.dose_path, *drawn])
        case_id = self._assembled(patient)
        if planned.is_manual and self._state_of(case_id) in UNOPENED:
            self.physicist.put_into_arm(case_id, MANUAL)
        proposed, made = self._contoured(planned, patient, case_id)
        self.approved.append((patient, made))
        if learns:
            self._wait_until_learned()
        return {
            "number": planned.number,
            "clock": self.clock.now.isoformat(),
            "dice_proposed": dice(proposed, patient.phantom.heart) if proposed.any() else None,
            "dice_approved": dice(made, patient.phantom.heart),
        }

    def _made(self, planned: Planned) -> SyntheticPatient:
        folder = self.folder / "patients" / f"{planned.number:04d}"
        if planned.scan is not None:
            bend = warped(self.scans[planned.scan], planned.seed, spacing_mm=planned.spacing_mm)
            return write_phantom(folder, bend, called_after(bend))
        return write_patient(
            folder,
            planned.seed,
            spacing_mm=planned.spacing_mm,
            tumour=planned.tumour,
            contrast=planned.contrast,
        )

    def _push(self, paths: list[Path]) -> None:
        peer, caller = node_as_peer(self.settings), self.settings.peers[0].ae_title
        send_instances(paths, peer, calling_ae_title=caller)

    def _assembled(self, patient: SyntheticPatient) -> str:
        """The id of the patient's case, once a proposal is there or none can come."""
        wanted = patient.called.patient_id, patient.called.series_description

        def there() -> str | None:
            for case in self.physician.worklist():
                found = case["patient"]["id"], case["description"]
                if found == wanted and case["state"] != "RECEIVING":
                    return self._if_proposed(str(case["id"]))
            return None

        return str(wait_for(there, timeout_s=300, what="the case and its proposal"))

    def _if_proposed(self, case_id: str) -> str | None:
        none_can_come = self.physician.get_json("/api/status")["released"] is None
        return case_id if none_can_come or self._state_of(case_id) != "ASSEMBLED" else None

    def _state_of(self, case_id: str) -> str:
        return str(self.physician.get_json(f"/api/cases/{case_id}")["state"])

    def _contoured(
        self, planned: Planned, patient: SyntheticPatient, case_id: str
    ) -> tuple[Mask, Mask]:
        """The case reviewed: what was proposed, what was approved."""
        truth, geometry = patient.phantom.heart, patient.phantom.volume.geometry
        opinion = opinion_of(truth, geometry, np.random.default_rng([self.seed, planned.seed, 1]))
        is_approved = self._state_of(case_id) not in {*UNOPENED, "IN_REVIEW"}  # before a crash
        if not is_approved:
            self.physician.open(case_id)
        proposed = self.physician.proposal(case_id, truth.shape)
        rng = np.random.default_rng([self.seed, planned.seed, 2])
        made, done = contour(proposed, opinion, rng)
        told = self.clock.tell(done)
        if not is_approved:
            self.physician.correct(case_id, made.approved, slices_seen=made.slices_seen, done=told)
        return proposed, made.approved

    def _drawn_in_the_tps(self, planned: Planned, patient: SyntheticPatient) -> Path:
        """The contour of a second physician, who means something of their own."""
        rng = np.random.default_rng([self.seed, planned.seed, 3])
        opinion = opinion_of(patient.phantom.heart, patient.phantom.volume.geometry, rng)
        made, _ = by_hand.draw(opinion)
        ct, name = read_ct(list(patient.ct_paths)), self.settings.structures[0].name
        return write_contours(patient.dose_path.with_name("RS.dcm"), ct, made.approved, name)

    def _wait_until_learned(self) -> None:
        """Until the trainer has judged a round on all that was approved, and rests."""

        def rests() -> bool:
            return trainer_rests(self.physician.get_json("/api/status"))

        wait_for(rests, timeout_s=LEARNING_TIMEOUT_S, what="the trainer to rest", every_s=1.0)


def run_experiment(
    config: Path, size: Size, folder: Path, *, seed: int, scans: Path | None = None
) -> Settings:
    """Go through what is left of the stream; the settings of the node that did.

    `folder` keeps the node's data and goes on after an interruption at the same patient. Below
    `scans` lie real CTs with a contour of the structure; a quarter of the patients are then bends
    of these.
    """
    folder = folder.resolve()
    node_config = write_clinic_config(config, folder, size.changes)
    settings = load_settings(node_config)
    log = folder / "progress.json"
    done: list[dict[str, Any]] = read_json(log) if log.exists() else []
    passwords = {name: secrets.token_urlsafe(9) for name in (PHYSICIAN, PHYSICIST)}
    for name, password in passwords.items():
        prepare_account(settings, name, password, name)
    destination = settings.peers[0]
    real = [] if scans is None else scans_in(scans, [settings.structures[0].name])
    with ExitStack() as stack:
        tps = stack.enter_context(
            running_tps(folder / "tps", ae_title=destination.ae_title, port=destination.port)
        )
        stack.enter_context(running_node(node_config, folder / "node.log"))
        wait_until_it_hears(settings)
        people = {name: logged_in(settings, name, word) for name, word in passwords.items()}
        time = clock.Clock.at(done[-1]["clock"]) if done else clock.Clock()
        reviewers = people[PHYSICIAN], people[PHYSICIST]
        clinic = Experiment(seed, settings, folder, tps, *reviewers, time, real)
        stream = stream_of(size, seed, len(real))
        last_proposed = max(planned.number for planned in stream if not planned.is_manual)
        for planned in stream[len(done) :]:
            done.append(clinic.go_through(planned, learns=planned.number < last_proposed))
            write_json(log, done)
            console.print(_line(done[-1]))
        _wait_until_delivered(clinic)
        verify_at_the_tps(tps, clinic.approved, settings.structures[0].name)
    return settings


def _wait_until_delivered(clinic: Experiment) -> None:
    def delivered() -> bool:
        cases = clinic.physician.worklist()
        return all(case["state"] == "DELIVERED" for case in cases)

    wait_for(delivered, timeout_s=300, what="the deliveries", every_s=1.0)


def _line(came: dict[str, Any]) -> str:
    proposed = came["dice_proposed"]
    said = "nothing proposed" if proposed is None else f"proposed with Dice {proposed:.3f}"
    return f"Patient {came['number'] + 1}: {said}, approved with {came['dice_approved']:.3f}"
