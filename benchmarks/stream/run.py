"""One recipe before one stream of patients; killed at any moment, it goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.experiment.physician import opinion_of
from benchmarks.stream.contender import Contender
from benchmarks.stream.corrector import correct
from benchmarks.stream.ours import Ours
from benchmarks.stream.patients import HELD_OUT, SimulatedPatient, patient_of, plans_of
from benchmarks.stream.published import Published
from benchmarks.stream.sizes import Size
from core.files import read_json, write_json
from core.geometry import Mask
from dose.difference import dice
from dose.metrics import roi_dose

OURS, OURS_COLD = "ours", "ours-cold"
PUBLISHED, CORRECTED = "published", "corrected"
PUBLISHED_OWN, CORRECTED_OWN = OWN_NETWORK = "published-own", "corrected-own"
RECIPES = {
    OURS: "ours: whole volume, no box, random weights",
    OURS_COLD: "ours from the starting model: whole volume, no box",
    PUBLISHED: "as published, our network, user's box",
    CORRECTED: "as published with a masked loss, our network, user's box",
    PUBLISHED_OWN: "as published, its own network (narrow), user's box",
    CORRECTED_OWN: "as published with a masked loss, its own network (narrow), user's box",
}


@dataclass(frozen=True, slots=True)
class Run:
    """A recipe and the seed of its stream and of its weights."""

    recipe: str
    seed: int

    @property
    def name(self) -> str:
        """Names the folder of the run."""
        return f"{self.recipe}-{self.seed}"


def go_through(
    run: Run,
    size: Size,
    folder: Path,
    *,
    starting_model: Path | None,
    say: Callable[[str], None],
) -> None:
    """Take every patient of the stream that was not taken yet; results in `<run>/run.json`."""
    here = folder / "runs" / run.name
    log = read_log(folder, run)
    done, looks = log["patients"], log["looks"]
    plans = plans_of(run.seed, size.patients)
    if len(done) == len(plans):
        return
    contender = _contender(run, size, here, starting_model)
    contender.restore(done)
    if not done:
        looks["0"] = _look(contender, size, folder, None)
    for number in range(len(done), len(plans)):
        patient = patient_of(folder / "patients", plans[number], size)
        done.append(_take(contender, number, patient, [run.seed, number]))
        contender.keep(number + 1)
        if number + 1 in size.looks:
            last = looks[max(looks, key=int)]
            looks[str(number + 1)] = _look(contender, size, folder, last)
        here.mkdir(parents=True, exist_ok=True)
        write_json(here / "run.json", log)
        say(_line(run, size, log))


def read_log(folder: Path, run: Run) -> dict[str, Any]:
    """Figures of each patient taken so far, and of each look at those held out."""
    path = folder / "runs" / run.name / "run.json"
    log: dict[str, Any] = read_json(path) if path.is_file() else {"patients": [], "looks": {}}
    return log


def _contender(run: Run, size: Size, here: Path, starting_model: Path | None) -> Contender:
    if run.recipe in (OURS, OURS_COLD):
        start = starting_model if run.recipe == OURS_COLD else None
        return Ours(here, size, seed=run.seed, starting_model=start)
    own = run.recipe in OWN_NETWORK
    loss = "corrected" if run.recipe in (CORRECTED, CORRECTED_OWN) else "published"
    return Published(here, size, seed=run.seed, loss=loss, own_network=own)


def _take(
    contender: Contender, number: int, patient: SimulatedPatient, seeds: list[int]
) -> dict[str, Any]:
    """One patient: proposed, corrected, learned. The physician is the same for every recipe."""
    opinion = opinion_of(patient.heart, patient.volume.geometry, np.random.default_rng([*seeds, 1]))
    proposal = contender.propose(patient)
    corrected = correct(proposal, opinion, np.random.default_rng([*seeds, 2]))
    painted = int((corrected.red | corrected.green).sum())
    figures = {
        "proposed_dice": dice(proposal, patient.heart),
        "approved_dice": dice(corrected.approved, patient.heart),
        "painted_cc": painted * float(patient.volume.geometry.voxel_volumes_cc().mean()),
        "tumour": bool(patient.facts["tumour"]),
    }
    return figures | contender.learn(number, patient, corrected)


def _look(
    contender: Contender, size: Size, folder: Path, last: dict[str, Any] | None
) -> dict[str, Any]:
    """Dice and |mean dose difference| on each held-out patient; the last look's if nothing changed.

    Where nothing is proposed the mean dose counts as 0 Gy.
    """
    version = contender.version()
    if last is not None and last["version"] == version:
        return last
    start = time.process_time()
    dices, dose_differences_gy = [], []
    for plan in plans_of(HELD_OUT, size.held_out):
        patient = patient_of(folder / "patients", plan, size)
        proposal = contender.propose(patient)
        dices.append(dice(proposal, patient.heart))
        apart = _mean_gy(patient, proposal) - _mean_gy(patient, patient.heart)
        dose_differences_gy.append(abs(apart))
    return {
        "version": version,
        "dice": dices,
        "dose_gy": dose_differences_gy,
        "cpu_s": time.process_time() - start,
    }


def _mean_gy(patient: SimulatedPatient, mask: Mask) -> float:
    return roi_dose(patient.dose, mask, patient.volume.geometry).mean_gy or 0.0


def _line(run: Run, size: Size, log: dict[str, Any]) -> str:
    done, looks = log["patients"], log["looks"]
    newest = looks[max(looks, key=int)]
    return (
        f"{run.name}: patient {len(done)} of {size.patients}, proposed "
        f"{done[-1]['proposed_dice']:.3f}, held out {float(np.mean(newest['dice'])):.3f}, "
        f"{done[-1]['cpu_s']:.1f} CPU s; {done[-1].get('verdict', '')}"
    )
