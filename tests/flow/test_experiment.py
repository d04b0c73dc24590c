"""The paper's experiment goes through on a node that runs, and its report says what happened."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from app.experiment.run import run_experiment
from app.experiment.sizes import SIZES
from app.reporting import write_cohort
from tests.support.settings import ports_of_its_own, write_config


@pytest.mark.slow
def test_the_tiny_experiment_goes_through_and_goes_on_where_it_stood(tmp_path: Path) -> None:
    config = write_config(tmp_path, model={"device": "cpu"}, **ports_of_its_own())
    folder, size = tmp_path / "experiment", SIZES["tiny"]
    run_experiment(config, size, folder, seed=0)  # raises where the TPS has another contour
    log = folder / "progress.json"
    came = json.loads(log.read_text())
    assert len(came) == size.patients + 2 * size.manual
    # Who is content within 3 mm may leave a small heart that is so much too small all round: 0.85.
    assert all(patient["dice_approved"] > 0.8 for patient in came)
    assert max(patient["dice_proposed"] or 0.0 for patient in came) > 0.5

    before = log.read_bytes()
    settings = run_experiment(config, size, folder, seed=0)
    assert log.read_bytes() == before

    assert write_cohort(settings, folder, "Heart", "phantom") == len(came)
    with (folder / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["arm"] for row in rows].count("manual") == 2 * size.manual
    assert all(float(row["seconds"]) > 60 for row in rows)
    compared = [row for row in rows if row["dice_by_hand_corrected"]]
    assert len(compared) == 2 * size.by_hand
    page = (folder / "report.html").read_text()
    assert "Synthetic patients" in page
