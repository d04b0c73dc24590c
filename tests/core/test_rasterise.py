from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import label

from core.errors import GeometryMismatchError
from core.geometry import Mask, Points, VolumeGeometry
from core.rasterise import contours_of_mask, mask_of_contours


def _geometry(shape: tuple[int, int, int], **changed: object) -> VolumeGeometry:
    values: dict[str, object] = {
        "shape": shape,
        "origin_mm": (-12.5, 7.25, 100.0),
        "spacing_mm": (3.0, 1.25, 0.75),
        "frame_of_reference_uid": "1.2.3",
    }
    return VolumeGeometry(**(values | changed))  # type: ignore[arg-type]


def _all(contours: dict[int, list[Points]]) -> list[Points]:
    return [contour for of_slice in contours.values() for contour in of_slice]


def _picture(*rows: str) -> Mask:
    return np.array([[[sign == "#" for sign in row] for row in rows]])


RING_WITH_ISLAND = _picture(
    "#########",
    "#.......#",
    "#.#####.#",
    "#.#...#.#",
    "#.#.#.#.#",
    "#.#...#.#",
    "#.#####.#",
    "#.......#",
    "#########",
)
HARD = {
    "a single voxel": _picture("...", ".#.", "..."),
    "the whole grid": np.ones((2, 3, 4), np.bool_),
    "a voxel in a corner of the grid": _picture("#..", "...", "..."),
    "diagonal neighbours": _picture("#.#.", ".#.#", "#.#."),
    "a ring with islands": RING_WITH_ISLAND,
    "a ring that closes on a diagonal": _picture("####", "#..#", "#.#.", "##.."),
    "two holes in one row": _picture("#######", "#.##.##", "#######"),
    "holes hanging on holes": _picture("########", "#.###.##", "###.##.#", "#.##.###", "########"),
    "a hole below a step": _picture("..####", "..####", "####.#", "######"),
    "a sieve": np.pad(
        ~(np.indices((1, 20, 20))[1:] % 2 == 1).all(axis=0),
        ((0, 0), (1, 1), (1, 1)),
        constant_values=True,
    ),
    "one row": np.array([[[True, False, True, True, False]]]),
    "nothing": np.zeros((2, 3, 3), np.bool_),
}


@pytest.mark.parametrize("mask", HARD.values(), ids=HARD.keys())
def test_contours_read_back_as_the_mask_they_were_made_from(mask: Mask) -> None:
    geometry = _geometry(mask.shape)
    contours = _all(contours_of_mask(mask, geometry))
    read = mask_of_contours(contours, geometry)
    assert np.array_equal(read.mask, mask)
    assert (read.contours_used, read.contours_off_grid) == (len(contours), 0)


@pytest.mark.parametrize("density", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_random_masks_read_back_exactly(density: float) -> None:
    rng = np.random.default_rng(int(density * 10))
    for _ in range(60):
        shape = (2, int(rng.integers(1, 9)), int(rng.integers(1, 9)))
        mask = rng.random(shape) < density
        geometry = _geometry(shape)
        read = mask_of_contours(_all(contours_of_mask(mask, geometry)), geometry)
        assert np.array_equal(read.mask, mask)


@pytest.mark.parametrize("mask", HARD.values(), ids=HARD.keys())
def test_each_part_is_one_polygon_and_filling_each_gives_the_mask_too(mask: Mask) -> None:
    """Some planning systems take the union of polygons; a keyhole keeps the hole for them."""
    geometry = _geometry(mask.shape)
    union = np.zeros_like(mask)
    for k, contours in contours_of_mask(mask, geometry).items():
        assert len(contours) == label(mask[k])[1]
        for contour in contours:
            union |= mask_of_contours([contour], geometry).mask
    assert np.array_equal(union, mask)


def test_a_hole_runs_against_its_outline_so_that_winding_numbers_leave_it_out() -> None:
    geometry = _geometry(RING_WITH_ISLAND.shape)
    ring_voxels = 32  # the outermost ring of a 9 x 9 picture
    areas = sorted(
        abs(_signed_area_mm2(contour))
        for contour in contours_of_mask(RING_WITH_ISLAND, geometry)[0]
    )
    assert areas[-1] == pytest.approx(ring_voxels * 1.25 * 0.75)


def _signed_area_mm2(contour: Points) -> float:
    x, y = contour[:, 0], contour[:, 1]
    return float(0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def test_one_voxel_gives_its_four_corners_in_mm() -> None:
    mask = np.zeros((3, 4, 5), np.bool_)
    mask[1, 2, 3] = True
    geometry = _geometry(mask.shape, origin_mm=(0.0, 0.0, 0.0), spacing_mm=(2.0, 1.0, 1.0))
    contours = contours_of_mask(mask, geometry)
    assert list(contours) == [1]
    corners = {tuple(point) for point in contours[1][0].tolist()}
    assert corners == {(2.5, 1.5, 2.0), (3.5, 1.5, 2.0), (3.5, 2.5, 2.0), (2.5, 2.5, 2.0)}


def test_no_point_is_repeated_and_none_lies_straight_between_its_neighbours() -> None:
    mask = np.random.default_rng(3).random((1, 30, 30)) < 0.7
    geometry = _geometry(mask.shape, spacing_mm=(1.0, 1.0, 1.0), origin_mm=(0.0, 0.0, 0.0))
    for contour in _all(contours_of_mask(mask, geometry)):
        before = contour - np.roll(contour, 1, axis=0)
        after = np.roll(contour, -1, axis=0) - contour
        assert after.any(axis=1).all()
        straight = (np.cross(before, after) == 0).all(axis=1) & ((before * after).sum(axis=1) > 0)
        assert not straight.any()


def test_an_oblique_geometry_is_followed() -> None:
    turn = math.radians(20)
    directions = (
        (0.0, -math.sin(turn), math.cos(turn)),
        (0.0, math.cos(turn), math.sin(turn)),
        (1.0, 0.0, 0.0),
    )
    mask = np.random.default_rng(4).random((3, 12, 9)) < 0.5
    geometry = _geometry(mask.shape, directions=directions)
    contours = [np.round(c, 3) for c in _all(contours_of_mask(mask, geometry))]
    assert np.array_equal(mask_of_contours(contours, geometry).mask, mask)


def test_a_disc_is_painted_where_voxel_centres_lie_inside() -> None:
    geometry = _geometry((1, 41, 41), origin_mm=(-20.0, -20.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
    angle = np.linspace(0, 2 * np.pi, 3600, endpoint=False)
    disc = np.column_stack([12.3 * np.cos(angle), 12.3 * np.sin(angle), np.zeros_like(angle)])
    y, x = np.mgrid[-20:21, -20:21]
    assert np.array_equal(mask_of_contours([disc], geometry).mask[0], x**2 + y**2 < 12.3**2)


def _square(z_mm: float, *, half_mm: float = 3.2) -> Points:
    xy = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half_mm
    return np.column_stack([xy, np.full(4, z_mm)])


_SIMPLE = _geometry((4, 20, 20), origin_mm=(-10.0, -10.0, 0.0), spacing_mm=(3.0, 1.0, 1.0))


def test_a_contour_goes_to_the_nearest_slice_and_one_beyond_the_ends_is_counted() -> None:
    read = mask_of_contours([_square(1.2), _square(-1.4), _square(10.6), _square(30.0)], _SIMPLE)
    assert read.mask.any(axis=(1, 2)).tolist() == [True, False, False, False]
    assert (read.contours_used, read.contours_off_grid) == (1, 3)


def test_a_contour_that_is_not_parallel_to_the_slices_is_not_painted() -> None:
    tilted = _square(3.0)
    tilted[0, 2] += 1.5
    read = mask_of_contours([tilted, _square(6.0)], _SIMPLE)
    assert read.mask.any(axis=(1, 2)).tolist() == [False, False, True, False]
    assert read.contours_off_grid == 1


def test_contours_of_a_finer_series_do_not_cancel_each_other() -> None:
    """Drawn every millimetre, read on slices of 3 mm: two planes lie within each half slice."""
    read = mask_of_contours([_square(float(z)) for z in range(10)], _SIMPLE)
    assert read.mask.sum(axis=(1, 2)).tolist() == [49, 49, 49, 49]
    assert read.contours_off_grid == 6


def test_a_second_contour_inside_the_first_is_a_hole() -> None:
    read = mask_of_contours([_square(3.0, half_mm=5.2), _square(3.0, half_mm=2.2)], _SIMPLE)
    assert read.mask[1].sum() == 11 * 11 - 5 * 5


def test_a_contour_that_leaves_the_image_is_cut_at_its_edge() -> None:
    read = mask_of_contours([_square(3.0, half_mm=500.0)], _SIMPLE)
    assert read.mask[1].all()
    assert read.mask.sum() == 400


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(GeometryMismatchError, match="shape"):
        contours_of_mask(np.zeros((1, 2, 3), np.bool_), _SIMPLE)
