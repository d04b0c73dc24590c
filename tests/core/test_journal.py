"""Browser and server replay the same entries to the same voxels."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import JournalConflictError
from core.journal import CorrectionLayer, decode_runs, encode_runs
from core.records import JournalEntry

SHAPE = (3, 4, 5)


def stroke(seq: int, tool: str, voxels: list[int]) -> JournalEntry:
    return JournalEntry(seq, "stroke", {"tool": tool, "runs": encode_runs(voxels)})


def test_runs_come_back_as_the_voxels_they_stand_for() -> None:
    voxels = [0, 1, 2, 7, 9, 10, 59]
    assert decode_runs(encode_runs(voxels), size=60).tolist() == voxels


def test_added_and_removed_voxels_change_the_prediction() -> None:
    prediction = np.zeros(SHAPE, bool)
    prediction.flat[[1, 2]] = True
    layer = CorrectionLayer(SHAPE).apply_all([stroke(1, "add", [2, 3]), stroke(2, "remove", [1])])
    assert np.flatnonzero(layer.corrected(prediction)).tolist() == [2, 3]
    assert np.flatnonzero(layer.painted()).tolist() == [1, 2, 3]


def test_the_eraser_gives_the_prediction_back() -> None:
    prediction = np.zeros(SHAPE, bool)
    prediction.flat[1] = True
    layer = CorrectionLayer(SHAPE).apply_all([stroke(1, "remove", [1]), stroke(2, "erase", [1])])
    assert layer.corrected(prediction).flat[1]


def test_one_step_adds_and_removes_and_is_undone_at_once() -> None:
    prediction = np.zeros(SHAPE, bool)
    prediction.flat[[1, 2]] = True
    layer = CorrectionLayer(SHAPE).apply_all([stroke(1, "add", [7]), both(2, [3, 4], [2, 7])])
    assert np.flatnonzero(layer.corrected(prediction)).tolist() == [1, 3, 4]
    layer.apply(JournalEntry(3, "undo"))
    assert np.flatnonzero(layer.corrected(prediction)).tolist() == [1, 2, 7]
    layer.apply(JournalEntry(4, "redo"))
    assert np.flatnonzero(layer.corrected(prediction)).tolist() == [1, 3, 4]


def test_a_step_that_adds_and_removes_the_same_voxel_is_refused() -> None:
    with pytest.raises(JournalConflictError, match="the same voxel"):
        CorrectionLayer(SHAPE).apply(both(1, [3, 4], [4]))


def both(seq: int, added: list[int], removed: list[int]) -> JournalEntry:
    runs = {"runs": encode_runs(added), "removes": encode_runs(removed)}
    return JournalEntry(seq, "stroke", {"tool": "add", **runs})


def test_undo_and_redo_walk_through_the_strokes() -> None:
    layer = CorrectionLayer(SHAPE).apply_all([stroke(1, "add", [1]), stroke(2, "remove", [1, 2])])
    layer.apply(JournalEntry(3, "undo"))
    assert np.flatnonzero(layer.values).tolist() == [1]
    assert layer.values[1] == 1
    layer.apply(JournalEntry(4, "undo"))
    assert not layer.values.any()
    layer.apply(JournalEntry(5, "redo"))
    layer.apply(JournalEntry(6, "redo"))
    assert layer.values[1] == 2


def test_a_new_stroke_ends_what_could_be_redone() -> None:
    layer = CorrectionLayer(SHAPE).apply_all([stroke(1, "add", [1]), JournalEntry(2, "undo")])
    layer.apply(stroke(3, "add", [5]))
    with pytest.raises(JournalConflictError, match="nothing to undo or redo"):
        layer.apply(JournalEntry(4, "redo"))


def test_a_gap_in_the_journal_is_refused() -> None:
    with pytest.raises(JournalConflictError, match="does not follow"):
        CorrectionLayer(SHAPE).apply(stroke(2, "add", [1]))


@pytest.mark.parametrize("runs", ["AAAA", "not base64!", encode_runs([60])])
def test_a_stroke_that_leaves_the_volume_or_is_damaged_is_refused(runs: str) -> None:
    entry = JournalEntry(1, "stroke", {"tool": "add", "runs": runs})
    with pytest.raises(JournalConflictError):
        CorrectionLayer(SHAPE).apply(entry)
