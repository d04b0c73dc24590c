"""The band around a boundary, against distances counted one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from core.geometry import Mask, VolumeGeometry
from dose.band import boundary_band
from tests.dose.grids import ball, centred, grid

EVEN = grid((6, 7, 8), (2.0, 1.1, 0.9))
UNEVEN = replace(grid((6, 7, 8), (2.6, 1.1, 0.9)), slice_offsets_mm=(0.0, 1.0, 4.0, 6.0, 9.0, 13.0))


def counted(mask: Mask, geometry: VolumeGeometry, within_mm: float) -> Mask:
    """Straight from the definition: from a centre to the nearest box of the other kind."""
    thickness = np.diff(geometry.slice_positions_mm())
    outer = (thickness[0], thickness[-1])
    around = np.pad(mask, 4)
    places = []
    for axis in range(3):
        if axis == 0:
            own = geometry.slice_positions_mm()
            before = own[0] - outer[0] * np.arange(4, 0, -1)
            centres = np.r_[before, own, own[-1] + outer[1] * np.arange(1, 5)]
        else:
            centres = geometry.spacing_mm[axis] * np.arange(-4, mask.shape[axis] + 4)
        middles = (centres[1:] + centres[:-1]) / 2
        low = np.r_[2 * centres[0] - middles[0], middles]
        high = np.r_[middles, 2 * centres[-1] - middles[-1]]
        places.append((centres, low, high))
    others = {kind: np.argwhere(around != kind) for kind in (True, False)}
    band = np.zeros(mask.shape, bool)
    for voxel in product(*(range(4, n + 4) for n in mask.shape)):
        other = others[bool(around[voxel])]
        squares = np.zeros(len(other))
        for axis, (centres, low, high) in enumerate(places):
            at = centres[voxel[axis]]
            gap = np.maximum(low[other[:, axis]] - at, at - high[other[:, axis]])
            squares += np.maximum(gap, 0.0) ** 2
        near = squares.min(initial=np.inf) <= (within_mm + 1e-9) ** 2
        band[tuple(n - 4 for n in voxel)] = near
    return band


@pytest.mark.parametrize("geometry", [EVEN, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize("within_mm", [0.4, 0.55, 1.0, 2.5, 3.1])
def test_the_band_holds_exactly_the_voxels_near_the_boundary(
    geometry: VolumeGeometry, within_mm: float
) -> None:
    rng = np.random.default_rng(7)
    for share in (0.05, 0.5, 0.95, 1.0):
        mask = rng.random(geometry.shape) < share
        band = boundary_band(mask, geometry, within_mm=within_mm)
        assert np.array_equal(band, counted(mask, geometry, within_mm)), share


def test_a_ball_has_a_shell_as_thick_as_asked() -> None:
    ct = centred((40, 40, 40), (1.0, 1.0, 1.0))
    band = boundary_band(ball(ct, 12.0), ct, within_mm=2.5)
    assert not (band & ball(ct, 8.5)).any()
    assert not (band & ~ball(ct, 15.6)).any()
    assert band[(ball(ct, 13.4) & ~ball(ct, 10.4))].all()


def test_nothing_has_no_boundary() -> None:
    assert not boundary_band(np.zeros(EVEN.shape, bool), EVEN, within_mm=2.5).any()
