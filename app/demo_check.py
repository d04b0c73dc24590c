"""The loop, once round and verified: what `make demo CHECK=1` does."""

from __future__ import annotations

import csv
import io
from typing import Any

from rich.console import Console

from app.clinic import PageError, Physician, Tps, wait_for
from app.clinic_arrivals import verify_at_the_tps
from app.clinic_dicom import SyntheticPatient
from app.colleague import review
from core.config import Settings
from core.geometry import Mask

ROUND_TIMEOUT_S = 600.0


def go_round(
    settings: Settings,
    people: tuple[Physician, Physician],
    tps: Tps,
    patients: list[SyntheticPatient],
    console: Console,
) -> int:
    """Correct two patients, wait for the model, correct the third prediction, check everything.

    Of the two `people` the second one, the colleague, has the second patient.
    """
    roi_name = settings.structures[0].name
    physician, second = people
    cases = {c["id"]: c for c in physician.worklist()}
    by_patient = {c["patient"]["id"]: c["id"] for c in cases.values()}
    todo = [(p, by_patient[f"PHANTOM-{p.phantom.facts['seed']:04d}"]) for p in patients]
    approved: list[tuple[SyntheticPatient, Mask]] = []
    for person, (patient, case_id) in zip((physician, second), todo, strict=False):
        console.print("A simulated physician contours a patient from scratch ...")
        approved.append((patient, _reviewed(person, case_id, patient)))

    with console.status("The trainer learns from the two corrections ..."):
        status = wait_for(
            lambda: _released(physician), timeout_s=ROUND_TIMEOUT_S, what="a first model"
        )
    console.print(f"Model in service: validation Dice {status['validation_dice']:.3f} (phantoms)")
    third, third_case = todo[2]
    wait_for(
        lambda: physician.get_json(f"/api/cases/{third_case}")["prediction"],
        timeout_s=120,
        what="the third patient's prediction",
    )
    approved.append((third, _reviewed(physician, third_case, third)))

    with console.status("The structure sets travel to the TPS ..."):
        wait_for(
            lambda: all(
                physician.get_json(f"/api/cases/{c}")["state"] == "DELIVERED" for _, c in todo
            ),
            timeout_s=120,
            what="three deliveries",
        )
    verify_at_the_tps(tps, approved, roi_name)
    rows = wait_for(lambda: _dose_rows(physician), timeout_s=60, what="the dose report")
    console.print(
        f"[green]The loop went round:[/green] 3 structure sets at the TPS equal what was approved; "
        f"mean dose difference of the predicted case {float(rows[0]):+.2f} Gy (synthetic dose)."
    )
    return 0


def _reviewed(person: Physician, case_id: str, patient: SyntheticPatient) -> Mask:
    made = review(person, case_id, patient)
    if made is None:
        raise PageError("Somebody else has the case; the check is alone with its node.")
    return made


def _released(physician: Physician) -> Any:
    return physician.get_json("/api/status")["released"]


def _dose_rows(physician: Physician) -> list[str]:
    table = csv.DictReader(io.StringIO(physician.get("/report/dose.csv").decode()))
    return [row["mean_difference_gy"] for row in table if row["mean_difference_gy"]]
