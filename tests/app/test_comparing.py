"""What a correction changed: nothing before its hold is over, then once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from app.comparing import EDITION, compare
from core.volume import Volume
from tests.support.review_case import box_mask, put_case, small_geometry
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
