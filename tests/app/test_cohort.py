"""The report of a cohort: figures in the order of approval, made from what was approved."""

from __future__ import annotations

import base64
import csv
import io
import math
import re
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from app import dosing
from app.cli import app
from app.room import Room
from core.case_files import reference_name
from core.errors import ConfigError
from core.geometry import Mask
from core.model_tables import approved_figure
from core.store import open_store
from core.tables import journal
from core.volume import Volume
from tests.support.review_case import (
    ASSEMBLY,
    NOW,
    another_object,
    box_mask,
    put_case,
    put_dose,
    small_geometry,
)
from tests.support.room import approve_mask
from tests.support.settings import settings_for, write_config

GRID = small_geometry()
VOXEL_CC = math.prod(GRID.spacing_mm) / 1000
DOSE_GY = np.add.outer(np.arange(10.0), np.add.outer(np.zeros(12), np.arange(14.0)))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A node whose clock goes on by a minute whenever it is asked."""
    settings = settings_for(tmp_path)
    minutes = count()
    return Room(settings, open_store(settings), lambda: NOW + timedelta(minutes=next(minutes)))


def heart(*, last_column: int) -> Mask:
    return box_mask(GRID, (slice(2, 8), slice(3, 9), slice(3, last_column)))


def clinic(room: Room) -> list[tuple[str, Mask | None, Mask]]:
    """Seven approvals: one without a prediction, the others 0 to 5 columns away from theirs.

    Odd ones by another reviewer, the fourth without a dose.
    """
    ct = Volume(np.zeros(GRID.shape, np.int16), GRID)
    made: list[tuple[str, Mask | None, Mask]] = []
    for number in range(7):
        predicted = None if number == 0 else heart(last_column=6)
        corrected = heart(last_column=12 - number)
        case_id = put_case(room.store, ct, prediction=predicted, patient_id=f"P-{number}")
        if number != 3:
            put_dose(room.store, case_id, Volume(DOSE_GY, GRID))
        who = "berta" if number % 2 else "anna"
        approve_mask(room, case_id, corrected, who=who)
        made.append((case_id, predicted, corrected))
    for due in room.store.cases.dose_due():
        dosing.measure(room, due)
    return made


def reported(config: Path, out: Path) -> list[dict[str, str]]:
    """The rows that the command writes for the clinic."""
    args = ["report", "--out", str(out), "--kind", "phantom", "--config", str(config)]
    answer = CliRunner().invoke(app, args)
    assert answer.exit_code == 0, answer.output
    return list(csv.DictReader(io.StringIO((out / "cases.csv").read_text())))


def test_every_number_is_what_the_raw_masks_give(room: Room, config: Path, tmp_path: Path) -> None:
    made = clinic(room)
    rows = reported(config, tmp_path / "out")
    assert [row["case"] for row in rows] == [case_id for case_id, _, _ in made]
    assert [int(row["number"]) for row in rows] == list(range(1, 8))
    assert [int(row["reviewer"]) for row in rows] == [1, 2, 1, 2, 1, 2, 1]
    for number, (row, (_, predicted, corrected)) in enumerate(zip(rows, made, strict=True)):
        assert float(row["corrected_cc"]) == pytest.approx(corrected.sum() * VOXEL_CC)
        if number == 3:
            assert row["corrected_mean_gy"] == ""
        else:
            assert float(row["corrected_mean_gy"]) == pytest.approx(DOSE_GY[corrected].mean())
        if predicted is None:
            assert (row["arm"], row["dice"], row["mean_difference_gy"]) == ("unaided", "", "")
            continue
        common, both = (predicted & corrected).sum(), predicted.sum() + corrected.sum()
        assert row["arm"] == "assisted"
        assert float(row["dice"]) == pytest.approx(2 * common / both, abs=1e-6)
        assert float(row["added_cc"]) == pytest.approx((corrected & ~predicted).sum() * VOXEL_CC)
        assert float(row["removed_cc"]) == pytest.approx((predicted & ~corrected).sum() * VOXEL_CC)
        if number != 3:
            difference = DOSE_GY[corrected].mean() - DOSE_GY[predicted].mean()
            assert float(row["mean_difference_gy"]) == pytest.approx(difference, abs=1e-6)


def test_durations_are_of_all_who_contoured_and_cases_by_hand_are_the_baseline(
    room: Room, config: Path, tmp_path: Path
) -> None:
    ct = Volume(np.zeros(GRID.shape, np.int16), GRID)
    cases = [put_case(room.store, ct, prediction=heart(last_column=6)) for _ in range(3)]
    room.store.arms.assign(cases[2], "manual", who="petra", now=room.now())
    worked = [
        ("anna", 0, 3, -5),
        ("berta", 0, 2, -4),
        ("anna", 1, 5, -3),
        ("anna", 2, 30, -2),
        ("vera", 1, 40, -4),  # who only looked
        ("anna", 1, 40, 9),  # and who looks again after the approval
    ]
    for who, case, steps, hours in worked:
        begun = NOW + timedelta(hours=hours)
        events: list[tuple[datetime, str, dict[str, Any]]] = [
            (begun + timedelta(seconds=4 * n), "slice", {}) for n in range(steps + 1)
        ]
        arm = room.store.cases.get(cases[case]).arm
        room.store.timing.add(cases[case], "Heart", events, who=who, arm=arm)
    for case_id in cases:
        approve_mask(room, case_id, heart(last_column=9))
    painted = {"case_id": cases[0], "roi_name": "Heart", "seq": 99, "kind": "stroke"}
    with room.store.engine.begin() as connection:
        by_berta = {"payload": {}, "made_by": "berta", "received_at": NOW}
        connection.execute(sa.insert(journal).values(**painted, **by_berta))
    rows = reported(config, tmp_path / "out")
    assert [float(row["seconds"]) for row in rows] == [20.0, 20.0, 120.0]
    assert [row["arm"] for row in rows] == ["assisted", "assisted", "manual"]
    # Nothing was shown, so nothing was changed; what was kept back is compared.
    assert (rows[2]["dice"], rows[2]["dice_by_hand_predicted"]) == ("", "0.666667")
    summary = (tmp_path / "out" / "summary.csv").read_text()
    assert '"minutes by hand, mean",2.0,7.0' in summary
    assert "by hand 2.0 min" in (tmp_path / "out" / "report.html").read_text()


def test_the_same_data_give_the_same_bytes(room: Room, config: Path, tmp_path: Path) -> None:
    clinic(room)
    reported(config, tmp_path / "one")
    reported(config, tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["cases.csv", "report.html", "summary.csv"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_page_needs_nothing_else_and_names_nobody(
    room: Room, config: Path, tmp_path: Path
) -> None:
    clinic(room)
    reported(config, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "<script" not in page
    for name in ("anna", "berta", "P-1", "Synthetic^Alma"):
        assert name not in page
    assert page.count("Synthetic patients: no figure says anything about a patient.") >= 4
    assert "Figure 5 of the paper" in page
    assert "in the paper (hearts)" in page
    assert "volume that reviewer 2 edited" in page


def test_the_cases_of_least_agreement_are_shown(room: Room, config: Path, tmp_path: Path) -> None:
    clinic(room)
    rows = reported(config, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    shown = [int(n) for n in re.findall(r"Figure 6 of the paper\. Case (\d+)", page)]
    later = [row for row in rows[1:] if row["dice"]]
    worst = sorted(later, key=lambda row: float(row["dice"]))[:2]
    assert shown == [int(row["number"]) for row in worst]
    encoded = re.findall(r"data:image/png;base64,([^\"]+)", page)[0]
    png = np.frombuffer(base64.b64decode(encoded), np.uint8)
    decoded = cv2.imdecode(png, cv2.IMREAD_COLOR)
    assert decoded is not None
    picture = decoded[:, :, ::-1]
    left, right = np.split(picture, 2, axis=1)
    yellow, green = np.array([255, 209, 102]), np.array([80, 200, 120])
    assert (left == yellow).all(2).any()
    assert (left == green).all(2).any()
    assert (right == yellow).all(2).any()
    assert not (right == green).all(2).any()


def test_a_contour_of_the_tps_is_held_against_both(
    room: Room, config: Path, tmp_path: Path
) -> None:
    (case_id, predicted, corrected) = clinic(room)[1]
    assert predicted is not None
    assert reported(config, tmp_path / "before")[1]["dice_by_hand_corrected"] == ""
    assert room.store.cohort.due() == []
    drawn = heart(last_column=9)
    instance_id = another_object(room.store, case_id, modality="RTSTRUCT", series="2.25.77")
    current = room.store.cases.get(case_id)
    room.store.files.write_mask(case_id, reference_name(instance_id, ASSEMBLY), drawn)
    room.store.instances.attach(
        current, instance_id, kind="structure_set", note="Heart", now=room.now()
    )
    assert [reference for _, reference in room.store.cohort.due()] == [instance_id]
    row = reported(config, tmp_path / "out")[1]
    expected = {
        name: 2 * (drawn & mask).sum() / (drawn.sum() + mask.sum())
        for name, mask in (("predicted", predicted), ("corrected", corrected))
    }
    for name, value in expected.items():
        assert float(row[f"dice_by_hand_{name}"]) == pytest.approx(value, abs=1e-6)
    summary = (tmp_path / "out" / "summary.csv").read_text()
    assert f'"Dice, by hand and corrected",{expected["corrected"]:.3f} ± 0.000' in summary
    # What was measured before it came is kept beside it.
    made = room.store.reviews.correction_of(case_id, "Heart")
    assert made is not None
    kept = sa.select(approved_figure.c.reference_id).where(
        approved_figure.c.correction_id == made.id
    )
    with room.store.engine.connect() as connection:
        assert sorted(connection.scalars(kept)) == [0, instance_id]


def test_a_node_where_nothing_was_approved_says_what_to_do(
    room: Room, config: Path, tmp_path: Path
) -> None:
    assert room.store.cases.all() == []
    assert reported(config, tmp_path / "out") == []
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Nothing was approved yet. Approve a case on the review page." in page


@pytest.mark.parametrize(
    "command", [["report", "--out", "out"], ["train"]], ids=["report", "train"]
)
def test_a_structure_that_is_not_configured_is_refused_and_not_taken_for_an_empty_one(
    config: Path, command: list[str]
) -> None:
    answer = CliRunner().invoke(app, [*command, "--roi", "heart", "--config", str(config)])
    assert isinstance(answer.exception, ConfigError)
    assert "no structure 'heart'; configured are: Heart" in str(answer.exception)
