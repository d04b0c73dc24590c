"""The cohort page, and what is computed of figures in the order of their cases."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from flask import Flask

from core.journal import mask_crc32
from core.records import Change, Correction
from core.store import Store
from core.volume import Volume
from review_ui.accounts import create_user
from review_ui.cohort.statistics import (
    break_even,
    control_limits,
    dose_shares,
    running,
    smoothed,
    thirds,
)
from tests.support.review_case import NOW, PASSWORD, Reviewer, box_mask, put_case, small_geometry

GRID = small_geometry()
MASK = box_mask(GRID, (slice(2, 8), slice(3, 9), slice(3, 9)))


def approved(anna: Reviewer, store: Store, patient_id: str) -> Correction:
    """A case whose prediction was approved as it was."""
    ct = Volume(np.zeros(GRID.shape, np.int16), GRID)
    case_id = put_case(store, ct, prediction=MASK, patient_id=patient_id)
    anna.open(case_id)
    shown = {"voxels": int(MASK.sum()), "crc32": mask_crc32(MASK), "slices_seen": [2]}
    answer = anna.post(f"/api/cases/{case_id}/approve", tab=anna.tab, seq=0, **shown)
    assert answer.status_code == 200, answer.text
    made = store.reviews.correction_of(case_id, "Heart")
    assert made is not None
    return made


def measured(made: Correction, dice: float) -> Change:
    return Change(made.id, 1, dice, 1.0, 1.0, 0.0, 0.0, 0.0, 600.0, 10.0, 0.0, NOW)


@pytest.fixture
def petra(app: Flask) -> Reviewer:
    """A physicist."""
    create_user(app, "petra", PASSWORD, "physicist")
    return Reviewer.log_in(app, "petra")


def test_without_an_approval_the_page_says_what_to_do(petra: Reviewer) -> None:
    page = petra.get("/cohort/")
    assert page.status_code == 200
    assert "Nothing was approved yet" in page.text
    assert "<svg" not in page.text


def test_the_page_shows_figures_and_names_neither_patients_nor_people(
    anna: Reviewer, petra: Reviewer, store: Store
) -> None:
    for number, dice in enumerate((0.75, 0.95)):
        store.changes.add(measured(approved(anna, store, f"P-{number}"), dice))
    page = petra.get("/cohort/").text
    assert "case 1: Dice 0.750" in page
    assert "case 2: Dice 0.950" in page
    saved = petra.get("/cohort/report.html")
    assert saved.headers["Content-Disposition"] == 'attachment; filename="report.html"'
    for name in ("P-0", "Synthetic^Alma", "anna"):
        assert name not in saved.text
    assert re.findall(r"<[^>]+\sstyle=", page) == []  # the policy would drop it


def test_a_structure_that_is_not_configured_is_not_found(petra: Reviewer) -> None:
    assert petra.get("/cohort/?roi=Tail").status_code == 404


def test_another_edition_stands_beside_the_first_and_is_shown(anna: Reviewer, store: Store) -> None:
    made = approved(anna, store, "P-1")
    store.changes.add(measured(made, 0.7))
    store.changes.add(measured(made, 0.8))  # the same edition: the first stays
    assert store.changes.newest()[made.id].dice == 0.7
    assert store.changes.due(1) == []
    assert store.changes.due(2) == [made.id]


def test_a_running_mean_forgets_what_is_older_than_its_window() -> None:
    found = running([1.0, 3.0, 5.0, 7.0], cases=2)
    assert [spread.mean for spread in found] == [1.0, 2.0, 4.0, 6.0]
    assert [spread.sd for spread in found] == [0.0, 1.0, 1.0, 1.0]


def test_a_gaussian_mean_leaves_a_straight_level_and_spreads_a_peak_evenly() -> None:
    assert smoothed([2.0] * 5, 1.5) == pytest.approx([2.0] * 5)
    around = smoothed([0.0, 0.0, 1.0, 0.0, 0.0], 1.0)
    assert around == pytest.approx(around[::-1])
    weights = np.exp(-0.5 * np.arange(-2, 3) ** 2)
    assert around[2] == pytest.approx(1 / weights.sum())


@pytest.mark.parametrize(
    ("count_", "sizes"), [(9, [3, 3, 3]), (10, [4, 3, 3]), (11, [4, 4, 3]), (2, [1, 1, 0])]
)
def test_thirds_hold_every_value_once(count_: int, sizes: list[int]) -> None:
    values = list(map(float, range(count_)))
    parts = thirds(values)
    assert [len(part) for part in parts] == sizes
    assert [value for part in parts for value in part] == values


def test_shares_of_dose_differences_count_both_signs_and_both_borders() -> None:
    assert dose_shares([0.0, 0.25, -1.0, 1.01, -3.0]) == pytest.approx((0.4, 0.4))
    assert all(map(math.isnan, dose_shares([])))


def test_even_is_broken_where_the_mean_of_ten_stays_below() -> None:
    assert break_even([9.0] * 5 + [1.0] * 15, 5.0) == 11
    assert break_even([1.0] * 10, 5.0) == 10
    assert break_even([1.0] * 9, 5.0) is None
    assert break_even([1.0] * 15 + [90.0], 5.0) is None


def test_control_limits_are_those_of_shewhart() -> None:
    assert control_limits([10.0, 12.0, 10.0, 12.0]) == pytest.approx((5.68, 11.0, 16.32))
    assert control_limits([0.0, 4.0]) == pytest.approx((0.0, 2.0, 12.64))
