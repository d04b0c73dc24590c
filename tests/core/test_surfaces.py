"""Distances between surfaces, against figures that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from core.errors import GeometryMismatchError
from core.geometry import Mask
from core.surfaces import surface_distances

SPACING_MM = (2.0, 1.0, 1.0)


def cube(low: int, high: int, *, shift: tuple[int, int, int] = (0, 0, 0)) -> Mask:
    mask = np.zeros((24, 24, 24), bool)
    mask[tuple(slice(low + s, high + s) for s in shift)] = True
    return mask


def test_equal_masks_are_no_distance_apart() -> None:
    same = surface_distances(cube(5, 15), cube(5, 15), SPACING_MM)
    assert same.surface_dice(0.0) == 1.0
    assert same.hausdorff_95_mm() == same.mean_mm() == 0.0


def test_a_cube_moved_along_the_slices_is_apart_by_the_slice_spacing() -> None:
    moved = surface_distances(cube(5, 15), cube(5, 15, shift=(1, 0, 0)), SPACING_MM)
    # Only the two end faces of 10 x 10 leave the other surface (the rims do by a diagonal less).
    assert moved.hausdorff_95_mm() == 2.0
    assert moved.surface_dice(1.9) < 1.0
    assert moved.surface_dice(2.0) == 1.0


def test_the_surface_dice_counts_what_lies_within_the_tolerance() -> None:
    """One voxel more all round: every surface voxel is 1 mm away, corners by a diagonal."""
    grown = surface_distances(cube(8, 12), cube(7, 13), (1.0, 1.0, 1.0))
    assert grown.surface_dice(0.9) == 0.0
    # All 56 inner surface voxels, and of the 152 outer ones the six faces of 4 x 4.
    assert grown.surface_dice(1.0) == pytest.approx((56 + 96) / (56 + 152))
    assert grown.surface_dice(2.0) == 1.0


def test_an_empty_mask_is_infinitely_far_from_a_full_one() -> None:
    nothing = np.zeros((24, 24, 24), bool)
    apart = surface_distances(cube(5, 15), nothing, SPACING_MM)
    assert apart.hausdorff_95_mm() == np.inf
    assert apart.surface_dice(100.0) == 0.0
    both = surface_distances(nothing, nothing, SPACING_MM)
    assert (both.surface_dice(1.0), both.hausdorff_95_mm(), both.mean_mm()) == (1.0, 0.0, 0.0)


def test_masks_of_different_shape_are_refused() -> None:
    with pytest.raises(GeometryMismatchError, match="Resample"):
        surface_distances(cube(5, 15), np.zeros((3, 3, 3), bool), SPACING_MM)


@pytest.mark.parametrize("seed", range(4))
def test_distances_of_ragged_shapes_are_those_of_every_pair_of_surface_voxels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.random((6, 8, 9)) < share for share in (0.5, 0.4))
    here, there = (_surface_mm(mask) for mask in (a, b))
    pairs = np.linalg.norm(here[:, None] - there[None], axis=-1)
    both = [pairs.min(axis=1), pairs.min(axis=0)]
    found = surface_distances(a, b, SPACING_MM)
    joined = np.concatenate(both)
    assert found.mean_mm() == pytest.approx(joined.mean())
    assert found.hausdorff_95_mm() == pytest.approx(max(np.percentile(one, 95) for one in both))
    for tolerance_mm in (1.0, 2.0, 3.0):
        assert found.surface_dice(tolerance_mm) == pytest.approx((joined <= tolerance_mm).mean())


def _surface_mm(mask: Mask) -> npt.NDArray[np.float64]:
    """Voxels of `mask` with one of six neighbours outside it, by looking at each."""
    found = []
    for index in np.argwhere(mask):
        for axis, step in ((axis, step) for axis in range(3) for step in (-1, 1)):
            other = index.copy()
            other[axis] += step
            if not 0 <= other[axis] < mask.shape[axis] or not mask[tuple(other)]:
                found.append(index * SPACING_MM)
                break
    return np.array(found, np.float64)
