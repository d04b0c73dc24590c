"""What a correction says to the network, by where it comes from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from app.labelling import labels_of
from app.room import Room
from core.errors import EmptyStructureError
from core.journal import encode_runs
from core.records import RETURNED, JournalEntry
from core.volume import Volume
from tests.support.review_case import NOW, put_case, small_geometry
from tests.support.room import approve_mask, open_room

GRID = small_geometry()
BLOCK = np.zeros(GRID.shape, bool)
BLOCK[3:6, 4:8, 4:8] = True


@pytest.fixture
def case(tmp_path: Path) -> tuple[Room, str]:
    """A room and a case in it that nobody has opened."""
    room = open_room(tmp_path)
    return room, put_case(room.store, Volume(np.zeros(GRID.shape, np.int16), GRID))


def test_an_approval_says_what_was_painted_and_which_slices_were_seen(
    case: tuple[Room, str],
) -> None:
    room, case_id = case
    approved = approve_mask(room, case_id, BLOCK)
    labels = labels_of(room, approved)
    assert (labels.source, labels.slices_seen) == ("approved", (0,))
    np.testing.assert_array_equal(labels.structure, BLOCK)
    np.testing.assert_array_equal(labels.added, BLOCK)
    np.testing.assert_array_equal(labels.removed, np.zeros(GRID.shape, bool))


def test_of_what_came_back_from_the_tps_nobody_counted_the_slices(case: tuple[Room, str]) -> None:
    room, case_id = case
    approved = approve_mask(room, case_id, BLOCK)
    assert labels_of(room, replace(approved, origin=RETURNED)).slices_seen is None


def test_strokes_say_what_was_painted_up_to_their_place_in_the_journal(
    case: tuple[Room, str],
) -> None:
    room, case_id = case
    store = room.store
    store.reviews.open(case_id, "Heart", who="anna", tab="t", now=NOW, lock_s=60)
    for seq, (tool, voxels) in enumerate((("add", [1, 2, 3]), ("remove", [3, 4])), start=1):
        entry = JournalEntry(seq, "stroke", {"tool": tool, "runs": encode_runs(voxels)})
        store.reviews.append(case_id, "Heart", entry, who="anna", tab="t", now=NOW)
    later = NOW + timedelta(hours=2)
    (made,) = store.teaching.take_strokes("Heart", at_rest_since=later, now=later)
    entry = JournalEntry(3, "stroke", {"tool": "erase", "runs": encode_runs([1, 2, 3, 4])})
    store.reviews.append(case_id, "Heart", entry, who="anna", tab="t", now=NOW)
    labels = labels_of(room, made)
    assert (labels.source, labels.structure) == ("strokes", None)
    assert labels.added is not None
    assert labels.removed is not None
    assert np.flatnonzero(labels.added).tolist() == [1, 2]
    assert np.flatnonzero(labels.removed).tolist() == [3, 4]
    (erased,) = store.teaching.take_strokes("Heart", at_rest_since=later, now=later)
    with pytest.raises(EmptyStructureError, match="Every stroke on Heart was taken back"):
        labels_of(room, erased)
