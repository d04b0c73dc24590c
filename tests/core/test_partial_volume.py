"""Covered parts of voxels against areas that are known."""

from __future__ import annotations

import numpy as np
import pytest

from core.geometry import Points, VolumeGeometry
from core.partial_volume import PartialVolume, partial_volume
from core.rasterise import contours_of_mask, mask_of_contours

GRID = VolumeGeometry((3, 40, 50), (0.0, 0.0, 0.0), (3.0, 1.0, 1.0), "1.2.3")


def polygon(corners: list[tuple[float, float]] | Points, z: float = 3.0) -> Points:
    """Corners (x, y) in mm on the slice at z."""
    return np.column_stack([np.asarray(corners, float), np.full(len(corners), z)])


def circle(radius: float, middle: tuple[float, float]) -> Points:
    turn = np.linspace(0.0, 2.0 * np.pi, 360, endpoint=False)
    x, y = middle
    return polygon(np.column_stack([x + radius * np.cos(turn), y + radius * np.sin(turn)]))


def whole(found: PartialVolume) -> Points:
    """On the whole grid."""
    parts = np.zeros(GRID.shape)
    parts[found.box] = found.fractions
    return parts


def area_of(points: Points) -> float:
    x, y = points[:, 0], points[:, 1]
    return abs(float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))) / 2.0


def test_a_box_covers_its_edge_voxels_by_their_parts() -> None:
    parts = whole(
        partial_volume([polygon([(9.75, 4.5), (12.9, 4.5), (12.9, 6.75), (9.75, 6.75)])], GRID)
    )
    assert parts[1, 5, 9:15] == pytest.approx([0.0, 0.75, 1.0, 1.0, 0.4, 0.0])
    assert parts[1, 4:9, 11] == pytest.approx([0.0, 1.0, 1.0, 0.25, 0.0])
    assert parts[1, 7, 10] == pytest.approx(0.75 * 0.25)
    assert not parts[[0, 2]].any()


@pytest.mark.parametrize(("radius", "within"), [(1.5, 3e-3), (5.0, 3e-4), (15.0, 3e-4)])
def test_a_circle_has_its_area_wherever_it_lies(radius: float, within: float) -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        points = circle(radius, tuple(20.0 + rng.uniform(-1.0, 1.0, 2)))
        covered = partial_volume([points], GRID).fractions
        assert covered.sum(dtype=float) == pytest.approx(area_of(points), rel=within)
        assert 0.0 <= covered.min() <= covered.max() <= 1.0


def test_parts_are_those_of_many_points_in_each_voxel() -> None:
    """A star that crosses itself, with a hole, against even-odd at 40 x 40 points a voxel."""
    turn = np.arange(5) * 4.0 * np.pi / 5.0
    star = polygon(np.column_stack([22 + 15 * np.sin(turn), 19.3 + 15 * np.cos(turn)]))
    contours = [star, circle(4.2, (24.0, 17.0))]
    finer = VolumeGeometry((3, 1600, 2000), (-0.4875, -0.4875, 0.0), (3.0, 0.025, 0.025), "1.2.3")
    points = mask_of_contours(contours, finer).mask[1]
    expected = points.reshape(40, 40, 50, 40).mean(axis=(1, 3))
    found = whole(partial_volume(contours, GRID))[1]
    assert np.abs(found - expected).max() < 0.04
    assert found.sum() == pytest.approx(expected.sum(), rel=1e-3)


def test_a_hole_is_a_hole_as_a_contour_of_its_own_and_with_a_keyhole() -> None:
    outer = [(5.0, 5.0), (25.0, 5.0), (25.0, 25.0), (5.0, 25.0)]
    inner = [(10.0, 10.0), (10.0, 20.0), (20.0, 20.0), (20.0, 10.0)]
    apart = whole(partial_volume([polygon(outer), polygon(inner)], GRID))
    assert apart.sum() == pytest.approx(300.0, rel=1e-6)
    keyhole = [*outer, outer[0], *inner, inner[0]]
    assert whole(partial_volume([polygon(keyhole)], GRID)) == pytest.approx(apart, abs=1e-6)


def test_contours_of_a_mask_give_the_mask() -> None:
    rng = np.random.default_rng(2)
    mask = rng.random(GRID.shape) < 0.6
    contours = [c for found in contours_of_mask(mask, GRID).values() for c in found]
    assert np.array_equal(whole(partial_volume(contours, GRID)), mask)


def test_beyond_the_image_nothing_is_covered_and_contours_on_no_slice_are_told() -> None:
    found = partial_volume([circle(5.0, (0.0, 0.0)), polygon([(1, 1), (5, 1), (5, 5)], 60.0)], GRID)
    assert (found.contours_used, found.contours_off_grid) == (1, 1)
    within = whole(found)[1].sum()
    assert within == pytest.approx(np.pi * 25 / 4 + 5.0 + 0.25, rel=2e-3)
    assert partial_volume([], GRID).fractions.size == 0
    assert partial_volume([circle(5.0, (-90.0, 10.0))], GRID).fractions.size == 0


def test_polygons_that_leave_the_grid_touch_no_other_slice() -> None:
    """They reach far above and below the rows of the grid, on slices that are done together."""
    tall = [(10.5, -300.0), (20.5, -300.0), (20.5, 300.0), (10.5, 300.0)]
    parts = whole(partial_volume([polygon(tall, 0.0), polygon(tall, 6.0)], GRID))
    assert (parts[[0, 2], :, 11:21] == 1.0).all()
    assert parts.sum() == 2 * 40 * 10
