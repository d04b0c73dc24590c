"""What was said of a structure, and how much each voxel of it counts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.geometry import Mask, VolumeGeometry
from core.journal import CorrectionLayer, encode_runs
from core.records import JournalEntry
from model.labels import LabelledGrid, Labels, label_grid
from model.losses import masked_loss
from model.preprocess import mask_to_working_grid

GRID = VolumeGeometry(
    shape=(40, 40, 40),
    origin_mm=(-80.0, -80.0, -80.0),
    spacing_mm=(4.0, 4.0, 4.0),
    frame_of_reference_uid="2.25.1",
)
SAME = GRID.spacing_mm
TWICE = (8.0, 8.0, 8.0)
NOTHING = np.zeros(GRID.shape, bool)
# Slices 16 to 23, that is 8 voxels or 32 mm across.
BLOCK = NOTHING.copy()
BLOCK[16:24, 16:24, 16:24] = True


def labelled(labels: Labels, spacing_mm: tuple[float, float, float] = SAME) -> LabelledGrid:
    return label_grid(labels, GRID, spacing_mm)


def near_block() -> Mask:
    """The block's box grown by 20 mm: five voxels of 4 mm."""
    near = NOTHING.copy()
    near[11:29, 11:29, 11:29] = True
    return near


def test_an_approved_structure_seen_whole_weighs_a_quarter_near_it_and_a_twentieth_far():
    grid = labelled(Labels.approved(BLOCK, NOTHING, slices_seen=range(40)))
    np.testing.assert_array_equal(grid.target, BLOCK)
    expected = np.where(near_block(), np.float32(0.25), np.float32(0.05))
    np.testing.assert_array_equal(grid.weight, expected)
    assert grid.weight.dtype == np.float32


def test_slices_that_nobody_looked_at_weigh_less_inside_the_structure_and_far_from_it():
    """Seen are slices 0 to 19: the lower half of the block, and nothing above."""
    grid = labelled(Labels.approved(BLOCK, NOTHING, slices_seen=range(20)))
    seen = np.arange(40)[:, None, None] < 20
    near = near_block()
    for mask, weight in (
        (near & seen, 0.25),
        (~near & seen, 0.05),
        (near & ~seen, 0.1),
        (~near & ~seen, 0.02),
    ):
        np.testing.assert_array_equal(grid.weight[mask], np.float32(weight))
    assert set(np.unique(grid.weight[BLOCK])) == {np.float32(0.1), np.float32(0.25)}


def test_slices_that_nobody_counted_count_as_seen_and_none_seen_is_none():
    unknown = labelled(Labels.approved(BLOCK, NOTHING, slices_seen=None))
    every = labelled(Labels.approved(BLOCK, NOTHING, slices_seen=range(40)))
    none = labelled(Labels.approved(BLOCK, NOTHING, slices_seen=()))
    np.testing.assert_array_equal(unknown.weight, every.weight)
    assert set(np.unique(none.weight)) == {np.float32(0.02), np.float32(0.1)}


def test_painted_voxels_weigh_most_wherever_they_are_and_keep_what_was_approved():
    painted = NOTHING.copy()
    painted[0:2, 0:4, 0:4] = True  # removed, far from the block, on slices nobody counted as seen
    painted[16:18, 16:20, 16:20] = True  # added
    grid = labelled(Labels.approved(BLOCK, painted, slices_seen=range(10, 30)))
    np.testing.assert_array_equal(grid.weight == 1.0, painted)
    np.testing.assert_array_equal(grid.target, BLOCK)


def test_what_was_painted_is_told_apart_exactly_into_added_and_removed():
    """The journal says which is which; the approved mask and the painted voxels say the same."""
    rng = np.random.default_rng(3)
    layer = CorrectionLayer((4, 5, 6))
    prediction = rng.random((4, 5, 6)) < 0.5
    for seq, tool in enumerate(("add", "remove", "erase", "add", "remove"), start=1):
        runs = encode_runs(np.flatnonzero(rng.random(120) < 0.3))
        layer.apply(JournalEntry(seq, "stroke", {"tool": tool, "runs": runs}))
    made = Labels.approved(layer.corrected(prediction), layer.painted(), slices_seen=None)
    values = layer.values.reshape(4, 5, 6)
    np.testing.assert_array_equal(made.added, values == 1)
    np.testing.assert_array_equal(made.removed, values == 2)


def test_strokes_alone_label_what_was_painted_and_nothing_else():
    added, removed = NOTHING.copy(), NOTHING.copy()
    added[20, 10:14, 10:14] = True
    removed[21, 10:14, 10:14] = True
    grid = labelled(Labels.strokes(added, removed))
    np.testing.assert_array_equal(grid.target, added)
    np.testing.assert_array_equal(grid.weight, (added | removed).astype(np.float32))


def test_a_working_voxel_painted_both_ways_is_what_more_of_it_was_painted():
    added, removed = NOTHING.copy(), NOTHING.copy()
    added[20:22, 20:22, 20] = True  # half of one voxel of 8 mm ...
    removed[20, 20, 21] = True  # ... and an eighth of it
    grid = labelled(Labels.strokes(added, removed), TWICE)
    assert np.argwhere(grid.weight).tolist() == [[10, 10, 10]]
    assert grid.target[10, 10, 10]
    other = labelled(Labels.strokes(removed, added), TWICE)
    assert other.weight[10, 10, 10] == 1.0
    assert not other.target.any()


def test_an_imported_structure_counts_like_one_that_was_seen_and_is_told_apart():
    imported = Labels.imported(BLOCK)
    as_seen = labelled(Labels.approved(BLOCK, NOTHING, slices_seen=range(40)))
    np.testing.assert_array_equal(labelled(imported).weight, as_seen.weight)
    np.testing.assert_array_equal(labelled(imported).target, BLOCK)
    assert (imported.source, imported.slices_seen, imported.added) == ("imported", None, None)


def test_a_working_slice_was_seen_where_more_than_half_of_it_was():
    """Two slices of 4 mm in one of 8 mm: both must have been looked at."""
    grid = labelled(Labels.approved(BLOCK, NOTHING, slices_seen=(16, 17, 18)), TWICE)
    np.testing.assert_array_equal(grid.target, mask_to_working_grid(BLOCK, GRID, TWICE))
    by_slice = grid.weight[:, 10, 10]
    assert by_slice[8] == np.float32(0.25)
    assert by_slice[9] == np.float32(0.1)


def test_slices_of_uneven_distance_are_seen_where_they_lie():
    """Ten slices at 2 mm, then ten at 6 mm; the first ten were looked at: 20 of 80 mm."""
    offsets = (*np.arange(0.0, 20.0, 2.0), *np.arange(22.0, 82.0, 6.0))
    uneven = replace(GRID, shape=(20, 40, 40), slice_offsets_mm=tuple(map(float, offsets)))
    structure = np.zeros(uneven.shape, bool)
    structure[:, 16:24, 16:24] = True
    made = Labels.approved(structure, np.zeros_like(structure), slices_seen=range(10))
    weights = label_grid(made, uneven, SAME).weight[:, 20, 20]
    assert weights[:4].tolist() == pytest.approx([0.25] * 4)
    assert weights[6:].tolist() == pytest.approx([0.1] * len(weights[6:]))


def test_an_approved_empty_structure_is_background_everywhere():
    grid = labelled(Labels.approved(NOTHING, NOTHING, slices_seen=None))
    assert not grid.target.any()
    assert np.all(grid.weight == np.float32(0.05))


def test_a_slice_that_the_volume_does_not_have_is_no_slice_that_was_seen():
    grid = labelled(Labels.approved(BLOCK, NOTHING, slices_seen=(40, 9999)))
    assert set(np.unique(grid.weight)) == {np.float32(0.02), np.float32(0.1)}


def test_the_loss_of_strokes_alone_looks_at_no_voxel_that_was_not_painted():
    added, removed = NOTHING.copy(), NOTHING.copy()
    added[20, 10:14, 10:14] = True
    removed[21, 10:14, 10:14] = True
    grid = labelled(Labels.strokes(added, removed))
    target, weight = torch.from_numpy(grid.target).float(), torch.from_numpy(grid.weight)
    logits = torch.zeros(GRID.shape, requires_grad=True)
    (gradient,) = torch.autograd.grad(masked_loss(logits, target, weight), logits)
    pulled = gradient.numpy()
    np.testing.assert_array_equal(pulled != 0.0, added | removed)
    assert (pulled[added] < 0).all()
    assert (pulled[removed] > 0).all()
