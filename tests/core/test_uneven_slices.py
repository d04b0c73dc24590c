"""Slices that are not evenly spaced keep their true places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import GeometryMismatchError
from core.geometry import Points, VolumeGeometry, require_same_grid
from core.rasterise import contours_of_mask, mask_of_contours
from core.resample import evenly_sliced, resample, working_grid
from core.volume import Volume

# Two zones: 5 mm, then 2.5 mm apart.
OFFSETS_MM = (0.0, 5.0, 10.0, 15.0, 17.5, 20.0, 22.5)
UNEVEN = VolumeGeometry(
    shape=(7, 12, 10),
    origin_mm=(4.0, -3.0, 100.0),
    spacing_mm=(3.75, 2.0, 1.5),
    frame_of_reference_uid="1.2.3",
    slice_offsets_mm=OFFSETS_MM,
)


def _height_ramp(geometry: VolumeGeometry) -> Volume:
    """As many HU as millimetres of height above the origin."""
    heights = geometry.slice_positions_mm().astype(np.float32)
    return Volume(np.broadcast_to(heights[:, None, None], geometry.shape).copy(), geometry)


def _square_at(height_mm: float) -> Points:
    """A square contour at a height above the first slice."""
    corners = UNEVEN.index_to_mm([(0, 1, 2), (0, 1, 5), (0, 6, 5), (0, 6, 2)])
    return np.asarray(corners + np.array([0.0, 0.0, height_mm]), np.float64)


def test_positions_lie_on_the_true_slices_and_linearly_between_and_beyond_them() -> None:
    indices = [(k, 0, 0) for k in (0, 3, 3.5, 4, 6, 7, -1)]
    heights = UNEVEN.index_to_mm(indices)[:, 2] - 100.0
    assert heights.tolist() == [0.0, 15.0, 16.25, 17.5, 22.5, 25.0, -5.0]
    assert np.allclose(UNEVEN.mm_to_index(UNEVEN.index_to_mm(indices)), indices)


def test_rows_and_columns_are_where_they_are_on_even_slices() -> None:
    assert UNEVEN.index_to_mm((4, 2, 3)).tolist() == [4.0 + 4.5, -3.0 + 4.0, 117.5]


def test_a_slice_reaches_half_way_to_its_neighbours() -> None:
    assert UNEVEN.slice_thicknesses_mm().tolist() == [5.0, 5.0, 5.0, 3.75, 2.5, 2.5, 2.5]
    mask = np.zeros(UNEVEN.shape, bool)
    mask[2:5, 3, 4] = True
    assert UNEVEN.volume_cc(mask) == pytest.approx((5.0 + 3.75 + 2.5) * 2.0 * 1.5 / 1000.0)


def test_on_even_slices_every_voxel_has_the_same_volume() -> None:
    even = replace(UNEVEN, slice_offsets_mm=None)
    assert even.volume_cc(np.ones(even.shape, bool)) == pytest.approx(840 * 3.75 * 2.0 * 1.5 / 1000)


def test_offsets_survive_json_and_old_json_reads_as_even() -> None:
    assert VolumeGeometry.from_json(UNEVEN.to_json()) == UNEVEN
    old = replace(UNEVEN, slice_offsets_mm=None).to_json()
    del old["slice_offsets_mm"]
    assert VolumeGeometry.from_json(old).slice_offsets_mm is None


@pytest.mark.parametrize(
    "offsets", [OFFSETS_MM[:-1], (1.0, *OFFSETS_MM[1:]), (0.0, 5.0, 5.0, 15.0, 17.5, 20.0, 22.5)]
)
def test_offsets_that_are_no_stack_are_refused(offsets: tuple[float, ...]) -> None:
    with pytest.raises(GeometryMismatchError, match="growing from 0"):
        replace(UNEVEN, slice_offsets_mm=offsets)


def test_grids_that_differ_in_a_single_slice_are_not_the_same() -> None:
    require_same_grid(UNEVEN, replace(UNEVEN))
    moved = (0.0, 5.0, 10.0, 15.1, 17.5, 20.0, 22.5)
    with pytest.raises(GeometryMismatchError, match=r"2\.400 to 5\.100 x"):
        require_same_grid(UNEVEN, replace(UNEVEN, slice_offsets_mm=moved))
    with pytest.raises(GeometryMismatchError, match="Grids differ"):
        require_same_grid(UNEVEN, replace(UNEVEN, slice_offsets_mm=None))


def test_contours_lie_on_the_true_slices_and_come_back_as_the_same_mask() -> None:
    rng = np.random.default_rng(4)
    mask = rng.random(UNEVEN.shape) < 0.4
    contours = contours_of_mask(mask, UNEVEN)
    for k, polygons in contours.items():
        for polygon in polygons:
            assert np.allclose(polygon[:, 2], 100.0 + OFFSETS_MM[k])
    flat = [np.round(polygon, 3) for polygons in contours.values() for polygon in polygons]
    again = mask_of_contours(flat, UNEVEN)
    assert np.array_equal(again.mask, mask)
    assert again.contours_off_grid == 0


def test_a_contour_between_two_zones_is_painted_on_the_nearer_slice() -> None:
    for height_mm, k in ((12.4, 2), (12.6, 3), (16.2, 3), (16.3, 4), (23.7, 6)):
        drawn = mask_of_contours([_square_at(height_mm)], UNEVEN)
        assert np.flatnonzero(drawn.mask.any(axis=(1, 2))).tolist() == [k]
    assert mask_of_contours([_square_at(23.8)], UNEVEN).contours_off_grid == 1


def test_the_even_volume_covers_the_same_tissue_at_the_right_heights() -> None:
    even = evenly_sliced(_height_ramp(UNEVEN), 2.5)
    assert even.geometry.slice_offsets_mm is None
    assert even.geometry.shape == (10, 12, 10)
    heights = even.geometry.index_to_mm([(k, 0, 0) for k in range(10)])[:, 2] - 100.0
    assert heights[0] == pytest.approx(-2.5 + 1.25)
    # Away from the ends a linear ramp stays what it was.
    assert even.values[1:-1, 5, 5] == pytest.approx(heights[1:-1], abs=1e-4)


def test_fine_zones_are_averaged_and_not_picked_out() -> None:
    rng = np.random.default_rng(0)
    offsets = (*np.arange(0, 40, 5.0), *np.arange(40.0, 60.0, 0.5))
    geometry = VolumeGeometry(
        (48, 16, 16), (0.0, 0.0, 0.0), (59.5 / 47, 1.0, 1.0), "1.2", slice_offsets_mm=offsets
    )
    noise = rng.normal(0.0, 100.0, geometry.shape).astype(np.float32)
    even = evenly_sliced(Volume(noise, geometry), 5.0)
    heights = even.geometry.index_to_mm([(k, 0, 0) for k in range(even.geometry.shape[0])])[:, 2]
    fine = even.values[heights > 46.0]
    assert fine.std() == pytest.approx(100.0 / np.sqrt(10), rel=0.15)


def test_resampling_onto_uneven_slices_keeps_positions_true() -> None:
    even = working_grid(UNEVEN, (2.0, 2.0, 1.5))
    ramp = _height_ramp(even)
    back = resample(ramp, UNEVEN, outside=-1.0)
    expected = np.asarray(OFFSETS_MM) + 100.0 - even.origin_mm[2]
    assert back.values[:, 6, 5] == pytest.approx(np.clip(expected, 0.0, 24.0), abs=1e-4)


def test_resampling_from_uneven_slices_keeps_positions_true_and_fills_outside() -> None:
    target = VolumeGeometry((30, 12, 10), (4.0, -3.0, 95.0), (1.0, 2.0, 1.5), "1.2.3")
    moved = resample(_height_ramp(UNEVEN), target, outside=-9.0)
    heights = np.arange(30) - 5.0
    expected = np.clip(heights, 0.0, 22.5)
    expected[(heights < -2.5) | (heights > 23.75)] = -9.0
    assert moved.values[:, 6, 5] == pytest.approx(expected, abs=1e-4)


def test_a_part_of_the_grid_keeps_its_places() -> None:
    part = UNEVEN.cut((slice(3, 6), slice(2, 5), slice(1, 9)))
    assert part.shape == (3, 3, 8)
    assert part.slice_offsets_mm == (0.0, 2.5, 5.0)
    assert np.allclose(part.index_to_mm((2, 1, 1)), UNEVEN.index_to_mm((5, 3, 2)))
