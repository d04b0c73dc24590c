"""What a correction changed: nothing before its hold is over, then once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from app.comparing import EDITION, compare, compare_dose
from core.case_files import reference_name
from core.volume import Volume
from tests.support.review_case import box_mask, put_case, put_dose, small_geometry
from tests.support.room import approve_mask, open_room

GRID = small_geometry()
CC = 3.0 * 1.5 * 1.0 / 1000
PREDICTED = box_mask(GRID, (slice(2, 8), slice(3, 9), slice(3, 6)))
CORRECTED = box_mask(GRID, (slice(2, 8), slice(3, 9), slice(4, 9)))
CT = Volume(np.zeros(GRID.shape, np.int16), GRID)


def test_a_shift_by_known_columns_gives_known_figures(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    made = approve_mask(room, put_case(room.store, CT, prediction=PREDICTED), CORRECTED)
    assert room.store.changes.due(EDITION) == [made.id]
    compare(room, made.id)
    assert room.store.changes.due(EDITION) == []
    found = room.store.changes.newest()[made.id]
    assert found.dice == 2 * 72 / (108 + 180)
    assert round(found.predicted_cc / CC) == 108
    assert round(found.added_cc / CC) == 108
    assert round(found.removed_cc / CC) == 36
    # Surface voxels lie up to three columns of 1 mm apart.
    assert found.hausdorff_95_mm == 3.0
    assert found.surface_dice_3mm == 1.0
    assert 0 < found.surface_dice_2mm < 1.0
    # In each of six slices two new rims of three columns, and the old right rim of six rows moved.
    assert found.added_path_length_mm == 6 * (2 * 3 * 1.0 + 2 * 6 * 1.5)


def test_a_correction_of_nothing_predicted_is_not_compared(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    approve_mask(room, put_case(room.store, CT), CORRECTED)
    assert room.store.changes.due(EDITION) == []


def test_an_empty_side_has_no_distance(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    nothing = np.zeros(GRID.shape, bool)
    made = approve_mask(room, put_case(room.store, CT, prediction=nothing), CORRECTED)
    compare(room, made.id)
    found = room.store.changes.newest()[made.id]
    assert (found.dice, found.hausdorff_95_mm, found.mean_surface_mm) == (0.0, None, None)


def test_what_is_held_is_not_compared(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    made = approve_mask(room, put_case(room.store, CT, prediction=PREDICTED), CORRECTED, hold_s=30)
    assert room.store.changes.due(EDITION) == []
    later = room.now() + timedelta(minutes=1)
    (delivery,) = room.store.deliveries.due(now=later)
    room.store.deliveries.begin(delivery.id, now=later)
    assert room.store.changes.due(EDITION) == [made.id]


def test_each_dose_that_comes_is_compared_once_and_later_ones_too(tmp_path: Path) -> None:
    """A dose that rises by 1 Gy a column; the contour moves by known columns."""
    room = open_room(tmp_path)
    columns = np.arange(GRID.shape[2], dtype=np.float32)
    dose = Volume(np.broadcast_to(columns, GRID.shape).copy(), GRID)
    case_id = put_case(room.store, CT, prediction=PREDICTED)
    made = approve_mask(room, case_id, CORRECTED)
    assert room.store.differences.due(EDITION) == []  # no dose yet
    for expected_factor in (1.0, 2.0):
        number = put_dose(room.store, case_id, Volume(dose.values * expected_factor, GRID))
        (due,) = room.store.differences.due(EDITION)
        assert (due.correction_id, due.against, due.dose_instance_id) == (
            made.id,
            "prediction",
            number,
        )
        compare_dose(room, due)
        assert room.store.differences.due(EDITION) == []
        (found,) = room.store.differences.of(made.id, number)
        assert found.dose is not None
        # Columns 3 to 5 before, 4 to 8 after: 4 and 6 on average.
        assert np.isclose(found.dose["first_mean_gy"], 4.0 * expected_factor)
        assert np.isclose(found.dose["second_mean_gy"], 6.0 * expected_factor)
        parts = dict(found.dose["slices_gy"])
        assert sorted(parts) == [2, 3, 4, 5, 6, 7]
        assert np.allclose(list(parts.values()), 2.0 * expected_factor / 6)
        assert found.contours["dice"] == 2 * 72 / (108 + 180)


def test_the_next_edition_adds_rows_and_shows_them(tmp_path: Path) -> None:
    room = open_room(tmp_path)
    flat = Volume(np.ones(GRID.shape, np.float32), GRID)
    case_id = put_case(room.store, CT, prediction=PREDICTED)
    made = approve_mask(room, case_id, CORRECTED)
    number = put_dose(room.store, case_id, flat)
    (due,) = room.store.differences.due(EDITION)
    compare_dose(room, due)
    (first,) = room.store.differences.of(made.id, number)
    assert room.store.differences.due(EDITION + 1) == [due]
    room.store.differences.add(replace(first, edition=EDITION + 1, dose=None))
    room.store.differences.add(replace(first, edition=EDITION + 1))  # there already: it stays
    (now,) = room.store.differences.of(made.id, number)
    assert (now.edition, now.dose) == (EDITION + 1, None)


def test_the_tps_own_contour_is_compared_with_what_was_approved(tmp_path: Path) -> None:
    """Structure set and dose come after the approval."""
    room = open_room(tmp_path)
    case_id = put_case(room.store, CT)
    made = approve_mask(room, case_id, CORRECTED)
    dose = Volume(np.ones(GRID.shape, np.float32), GRID)
    number = put_dose(room.store, case_id, dose)
    assert room.store.differences.due(EDITION) == []  # no prediction, no contour of the TPS
    drawn = put_dose(room.store, case_id, dose, kind="structure_set", note="Heart")
    room.store.files.write_mask(case_id, reference_name(drawn, made.assembly), PREDICTED)
    (due,) = room.store.differences.due(EDITION)
    assert (due.against, due.against_id) == ("reference", str(drawn))
    compare_dose(room, due)
    assert room.store.differences.due(EDITION) == []
    (found,) = room.store.differences.of(made.id, number)
    assert found.contours["dice"] == 2 * 72 / (108 + 180)
