"""Bodies of a few slices whose sections go on tapering, against means that a formula knows."""

from __future__ import annotations

import numpy as np
import pytest

from core.geometry import Points, VolumeGeometry
from dose.grid import SampledDose
from dose.metrics import figures_of
from dose.solid import sample_contours
from tests.dose.grids import centred, filled, grid

SLICE_MM = 3.0
# Curved along every axis and askew; a spline through its nodes is exact.
CURVED = filled(
    centred((31, 31, 31), (2.0, 2.0, 2.0)),
    lambda p: 30.0 + p @ np.array([0.4, -0.2, 0.3]) + 0.05 * (p @ np.array([0.8, 0.3, 0.5])) ** 2,
)


def ct(shift_mm: float) -> VolumeGeometry:
    return grid((15, 60, 60), (SLICE_MM, 1.0, 1.0), (-29.5, -29.5, shift_mm - 7 * SLICE_MM))


def sections(geometry: VolumeGeometry, radius: float, slant: float, x: float = 0.0) -> list[Points]:
    """Contours of a ball about (`x`, 0, 0) that is pushed aside by `slant` mm for each mm upwards.

    An ellipsoid.
    """
    turn = np.linspace(0.0, 2.0 * np.pi, 360, endpoint=False)
    found = []
    for z in geometry.index_to_mm([(k, 0, 0) for k in range(geometry.shape[0])])[:, 2]:
        if abs(z) < radius:
            r = np.sqrt(radius**2 - z**2)
            circle = [x + slant * z + r * np.cos(turn), r * np.sin(turn), np.full(360, z)]
            found.append(np.column_stack(circle))
    return found


def measured(drawn: list[Points], geometry: VolumeGeometry) -> SampledDose:
    return sample_contours(CURVED, drawn, geometry, ends="rounded", between="cubic").sampled


@pytest.mark.parametrize("slant", [0.0, 0.6])
@pytest.mark.parametrize("shift_mm", [-1.4, -0.7, 0.0, 0.8, 1.5])
def test_three_or_four_contours_tell_a_ball_and_a_slanted_one(
    shift_mm: float, slant: float
) -> None:
    geometry = ct(shift_mm)
    drawn = sections(geometry, 5.0, slant)
    assert len(drawn) in {3, 4}
    found = figures_of(measured(drawn, geometry))
    assert found.volume_cc == pytest.approx(4 / 3 * np.pi * 125.0 / 1000, rel=1e-3)
    # Over a ball the square of a direction's component is on average |direction|^2 r^2 / 5.
    direction = np.array([0.8, 0.3, 0.5 + 0.8 * slant])
    expected = 30.0 + 0.05 * float(direction @ direction) * 25.0 / 5.0
    assert found.mean_gy == pytest.approx(expected, rel=2e-4)


def test_two_pieces_on_a_slice_stay_in_their_place() -> None:
    """Shrunk as one they would meet in the middle."""
    geometry = ct(0.4)
    apart = [*sections(geometry, 5.0, 0.0, -15.0), *sections(geometry, 5.0, 0.0, 15.0)]
    found = figures_of(measured(apart, geometry))
    single = [
        figures_of(measured(sections(geometry, 5.0, 0.0, x), geometry)) for x in (-15.0, 15.0)
    ]
    assert found.volume_cc == pytest.approx(sum(one.volume_cc for one in single), rel=2e-3)
    assert found.mean_gy == pytest.approx(np.mean([one.mean_gy for one in single]), rel=5e-3)


def test_a_body_that_does_not_taper_is_as_high_as_its_slabs() -> None:
    geometry = ct(0.0)
    square = np.array([[-6.0, -6.0], [6.0, -6.0], [6.0, 6.0], [-6.0, 6.0]])
    drawn = [np.column_stack([square, np.full(4, z)]) for z in (-3.0, 0.0, 3.0)]
    sampled = measured(drawn, geometry)
    assert sampled.voxel_volumes_cc.sum() == pytest.approx(12.0 * 12.0 * 9.0 / 1000, rel=1e-4)
    # The variance along an edge of length a is a^2 / 12.
    variance = (0.8**2 + 0.3**2) * 144.0 / 12.0 + 0.5**2 * 81.0 / 12.0
    assert figures_of(sampled).mean_gy == pytest.approx(30.0 + 0.05 * variance, rel=2e-4)


def test_the_last_contour_may_be_as_small_as_a_point() -> None:
    """A wild last contour of a few corners takes the shape of its large neighbour."""
    geometry = ct(0.0)
    drawn = sections(geometry, 7.0, 0.0)
    speck = np.array([[0.02, 0.0], [0.0, 0.02], [-0.02, 0.0], [0.0, -0.02]])
    drawn.append(np.column_stack([speck, np.full(4, 9.0)]))
    found = figures_of(measured(drawn, geometry))
    assert found.volume_cc == pytest.approx(4 / 3 * np.pi * 343.0 / 1000, rel=0.05)
    assert found.maximum_gy is not None
    assert found.maximum_gy < 45.0
