"""Solids between and beyond contours, against bodies whose volume and dose are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.geometry import Points, VolumeGeometry
from core.rasterise import contours_of_mask
from core.volume import Volume
from dose.dvh import Dvh
from dose.metrics import RoiDose, figures_of, roi_dose
from dose.solid import Ends, sample_contours
from tests.dose.grids import ball, centred, filled, grid, turned

DOSE_GRID = centred((41, 41, 41), (2.5, 2.5, 2.5))
RAMP = filled(DOSE_GRID, lambda p: 20.0 + p @ np.array([0.05, -0.03, 0.2]))


def ct(slice_mm: float, shift_mm: float = 0.0) -> VolumeGeometry:
    half = int(40.0 / slice_mm)
    return grid(
        (2 * half + 1, 90, 90), (slice_mm, 1.0, 1.0), (-44.5, -44.5, shift_mm - half * slice_mm)
    )


def contours(
    geometry: VolumeGeometry, radius_at: Callable[[float], float], x: float = 0.0
) -> list[Points]:
    """Circles about (`x`, 0) on every slice that the body reaches."""
    turn = np.linspace(0.0, 2.0 * np.pi, 240, endpoint=False)
    found = []
    for k in range(geometry.shape[0]):
        z = float(geometry.index_to_mm((k, 0, 0))[2])
        if (radius := radius_at(z)) > 0.0:
            # As large as the circle, though it has corners.
            radius *= np.sqrt(2 * np.pi / 240 / np.sin(2 * np.pi / 240))
            circle = [x + radius * np.cos(turn), radius * np.sin(turn), np.full(240, z)]
            found.append(np.column_stack(circle))
    return found


def sphere(radius: float) -> Callable[[float], float]:
    return lambda z: float(np.sqrt(max(radius**2 - z**2, 0.0)))


def cone(base: float, tip: float) -> Callable[[float], float]:
    return lambda z: 22.0 * (tip - z) / (tip - base) if base < z < tip else 0.0


def measured(drawn: list[Points], geometry: VolumeGeometry, ends: Ends, **also: Any) -> RoiDose:
    dose = also.get("dose", RAMP)
    return figures_of(sample_contours(dose, drawn, geometry, ends=ends).sampled)


@pytest.mark.parametrize("slice_mm", [1.0, 2.0, 3.0])
@pytest.mark.parametrize(("radius", "within"), [(5.0, 0.01), (20.0, 0.002), (32.0, 0.002)])
def test_a_rounded_ball_has_its_volume_and_place_wherever_the_slices_lie(
    radius: float, within: float, slice_mm: float
) -> None:
    for part in (0.0, 0.2, 0.37, 0.5, 0.71, 0.9):
        geometry = ct(slice_mm, part * slice_mm)
        found = measured(contours(geometry, sphere(radius)), geometry, "rounded")
        assert found.volume_cc == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=within)
        assert found.mean_gy == pytest.approx(20.0, rel=1e-3)


@pytest.mark.parametrize("slice_mm", [1.0, 2.0, 3.0])
def test_a_rounded_cone_has_its_volume_and_place(slice_mm: float) -> None:
    """Its base is flat and lies half way between two slices; its tip anywhere."""
    for tip in (20.3, 21.0, 21.9, 22.4):
        geometry = ct(slice_mm, slice_mm / 2.0 if int(18.0 / slice_mm) % 2 else 0.0)
        base = float(geometry.index_to_mm((8, 0, 0))[2]) - slice_mm / 2.0
        height = tip - base
        drawn = contours(geometry, cone(base, tip))
        found = measured(drawn, geometry, "rounded")
        assert found.volume_cc == pytest.approx(np.pi * 22.0**2 * height / 3000, rel=2e-3)
        assert found.mean_gy == pytest.approx(20.0 + 0.2 * (base + height / 4.0), rel=1e-3)


@pytest.mark.parametrize("ends", ["whole", "rounded"])
def test_a_cylinder_is_as_high_as_its_slabs_and_half_of_two_slabs_less(ends: Ends) -> None:
    geometry = ct(3.0)
    drawn = contours(geometry, lambda z: 20.0 if abs(z) < 16.0 else 0.0)
    assert len(drawn) == 11
    area = np.pi * 20.0**2 / 1000
    assert measured(drawn, geometry, ends).volume_cc == pytest.approx(area * 33.0, rel=5e-4)
    assert measured(drawn, geometry, "half").volume_cc == pytest.approx(area * 30.0, rel=2e-3)


def test_between_two_circles_half_is_the_cone_that_joins_them() -> None:
    geometry = ct(3.0)
    drawn = contours(geometry, lambda z: {0.0: 10.0, 3.0: 16.0}.get(round(z, 3), 0.0))
    found = measured(drawn, geometry, "half")
    volume = np.pi * 3.0 * (100 + 160 + 256) / 3 / 1000
    assert found.volume_cc == pytest.approx(volume, rel=5e-3)
    height = 3.0 / 4.0 * (100 + 2 * 160 + 3 * 256) / (100 + 160 + 256)
    assert found.mean_gy == pytest.approx(20.0 + 0.2 * height, rel=3e-4)


def test_two_slices_of_a_large_structure_are_one_plane_between_them() -> None:
    geometry = grid((4, 200, 200), (1.0, 1.0, 1.0), (-99.5, -99.5, 0.0))
    drawn = contours(geometry, lambda z: 80.0 if z in (1.0, 2.0) else 0.0)
    flat = filled(centred((4, 90, 90), (5.0, 2.5, 2.5)), lambda p: 4.0 + p[..., 2])
    found = measured(drawn, geometry, "half", dose=flat)
    assert found.volume_cc == pytest.approx(np.pi * 6400 / 1000, rel=1e-3)
    assert found.mean_gy == pytest.approx(5.5, rel=1e-5)


def test_a_thin_band_that_moves_is_joined_and_not_doubled() -> None:
    """4 mm wide and 4 mm aside on the next slice: half way it is a sliver between both."""
    geometry = ct(3.0)

    def band(left: float, z: float) -> Points:
        return np.array([[left, -20, z], [left + 4, -20, z], [left + 4, 20, z], [left, 20, z]])

    drawn = [band(0.0, 0.0), band(4.0, 3.0)]
    slabs = measured(drawn, geometry, "whole").volume_cc
    assert slabs == pytest.approx(2 * 4 * 40 * 3 / 1000, rel=1e-4)
    # d = (1 - t) |x - 2| + t |x - 6| < 2: at t the band is the part of x in which that holds.
    x, t = np.meshgrid(np.linspace(-2, 10, 4801), (np.arange(400) + 0.5) / 400)
    inside = (1 - t) * (np.abs(x - 2) - 2) + t * (np.abs(x - 6) - 2) < 0
    volume = inside.mean() * 12 * 40 * 3 / 1000
    assert measured(drawn, geometry, "half").volume_cc == pytest.approx(volume, rel=0.08)
    assert volume < 0.4 * slabs


def test_a_slice_without_a_contour_ends_the_solid_and_one_alone_is_a_slab() -> None:
    geometry = ct(2.0)
    drawn = contours(geometry, lambda z: 10.0 if round(z) in (-8, 0, 2, 4) else 0.0)
    area = np.pi * 100.0 / 1000
    assert measured(drawn, geometry, "half").volume_cc == pytest.approx(area * 6.0, rel=3e-3)
    assert measured(drawn[:1], geometry, "half") == measured(drawn[:1], geometry, "whole")


@pytest.mark.parametrize("ends", ["whole", "half", "rounded"])
def test_uneven_slices_stand_for_what_lies_between_them(ends: Ends) -> None:
    offsets = (0.0, 2.0, 5.0, 7.0, 10.0, 12.0)
    geometry = replace(
        grid((6, 60, 60), (2.4, 1.0, 1.0), (-29.5, -29.5, -6.0)), slice_offsets_mm=offsets
    )
    drawn = contours(geometry, lambda z: 15.0)
    height = 12.0 if ends == "half" else float(geometry.slice_thicknesses_mm().sum())
    found = measured(drawn, geometry, ends)
    assert found.volume_cc == pytest.approx(np.pi * 225 * height / 1000, rel=1e-3)
    assert found.mean_gy == pytest.approx(20.0, rel=2e-3)


@pytest.mark.parametrize("ends", ["whole", "half", "rounded"])
def test_a_turned_dose_grid_gives_the_same_figures(ends: Ends) -> None:
    """A linear dose, so that interpolation is exact on either grid."""
    geometry = ct(3.0, 1.0)
    drawn = contours(geometry, sphere(25.0))
    skew = filled(
        centred((41, 47, 47), (2.5, 2.5, 2.5), turned(20.0)),
        lambda p: 20.0 + p @ np.array([0.05, -0.03, 0.2]),
    )
    plain, other = (measured(drawn, geometry, ends, dose=dose) for dose in (RAMP, skew))
    assert other.mean_gy == pytest.approx(plain.mean_gy, rel=1e-6)
    assert other.volume_cc == plain.volume_cc


@pytest.mark.parametrize("ends", ["whole", "half", "rounded"])
def test_a_dose_grid_that_ends_within_is_told_and_never_filled(ends: Ends) -> None:
    geometry = ct(2.0)
    right = Volume(
        np.full((41, 41, 20), 10.0), grid((41, 41, 20), (2.5, 2.5, 2.5), (0.0, -50.0, -50.0))
    )
    found = measured(contours(geometry, sphere(20.0)), geometry, ends, dose=right)
    assert found.coverage == pytest.approx(0.5, abs=0.01)
    assert (found.mean_gy, found.minimum_gy) == pytest.approx((10.0, 10.0))
    away = Volume(right.values, grid((41, 41, 20), (2.5, 2.5, 2.5), (400.0, 0.0, 0.0)))
    found = measured(contours(geometry, sphere(20.0)), geometry, ends, dose=away)
    assert (found.coverage, found.mean_gy) == (0.0, None)


def test_our_own_contours_of_a_mask_have_the_figures_of_the_mask() -> None:
    """What the node delivers, read back, gives the dose that the page showed."""
    geometry = ct(2.5)
    mask = ball(geometry, 26.0, (4.0, 0.0, 0.0)) & ~ball(geometry, 9.0)
    drawn = [c for found in contours_of_mask(mask, geometry).values() for c in found]
    found, page = measured(drawn, geometry, "whole"), roi_dose(RAMP, mask, geometry)
    assert found.mean_gy == pytest.approx(page.mean_gy, rel=1e-9)
    assert found.volume_cc == pytest.approx(page.volume_cc, rel=1e-6)
    assert found.maximum_gy == pytest.approx(page.maximum_gy)


def test_parts_of_voxels_weigh_in_the_histogram() -> None:
    """Half of a ball in a ramp through its centre receives at least the dose there."""
    geometry = ct(1.0)
    ramp = filled(DOSE_GRID, lambda p: 20.0 + 0.3 * p[..., 0])
    sampled = sample_contours(ramp, contours(geometry, sphere(6.0), 3.0), geometry, ends="rounded")
    dvh = Dvh.of(sampled.sampled)
    assert dvh.volume_at_dose_cc(20.9) / dvh.volume_cc == pytest.approx(0.5, abs=0.01)
    part = np.pi * 3.0**2 * (3 * 6.0 - 3.0) / 3 / (4 / 3 * np.pi * 6.0**3)
    assert dvh.volume_at_dose_cc(20.0) / dvh.volume_cc == pytest.approx(1 - part, abs=0.005)


def test_a_hole_on_a_keyhole_is_joined_like_a_hole_of_its_own() -> None:
    geometry = ct(3.0, 1.0)
    outer = {c[0, 2]: c for c in contours(geometry, sphere(25.0))}
    inner = {c[0, 2]: c for c in contours(geometry, sphere(12.0))}
    apart = [*outer.values(), *inner.values()]
    joined = []
    for z, ring in outer.items():
        hole = inner.get(z)
        bridge = [] if hole is None else [ring[:1], hole, hole[:1]]
        joined.append(np.concatenate([ring, *bridge]))
    found = measured(joined, geometry, "half")
    expected = measured(apart, geometry, "half")
    assert found.volume_cc == pytest.approx(expected.volume_cc, rel=1e-4)
    assert found.mean_gy == pytest.approx(expected.mean_gy, rel=1e-5)


def test_contours_on_no_slice_are_counted_and_no_contours_are_nothing() -> None:
    geometry = ct(2.0)
    beyond = [np.array([[0.0, 0, 99], [5, 0, 99], [5, 5, 99]])]
    found = sample_contours(RAMP, beyond, geometry, ends="half")
    assert (found.contours_off_grid, found.sampled.inside.size) == (1, 0)
    assert figures_of(sample_contours(RAMP, [], geometry, ends="half").sampled).mean_gy is None


@pytest.mark.parametrize("ends", ["half", "rounded"])
@pytest.mark.parametrize("degrees", [0.0, 0.5])
def test_a_structure_up_to_the_outermost_dose_nodes_is_covered(ends: Ends, degrees: float) -> None:
    """Voxels are looked at beside their centres; what is covered is told of the centres."""
    geometry = ct(2.0)
    corners = np.array([(-25.0, -25.0), (25.0, -25.0), (25.0, 25.0), (-25.0, 25.0)])
    drawn = [np.column_stack([corners, np.full(4, z)]) for z in np.arange(-30.0, 31.0, 2.0)]
    turn = np.radians(degrees)
    across = 49.0 * float(np.cos(turn) + np.sin(turn))
    nodes = centred((41, 2, 2), (2.0, across, across), turned(degrees))
    dose = filled(nodes, lambda p: np.full(p.shape[:-1], 20.0))
    found = measured(drawn, geometry, ends, dose=dose)
    assert (found.coverage, found.mean_gy) == pytest.approx((1.0, 20.0), rel=1e-12)


@pytest.mark.parametrize("degrees", [0.0, 45.0, 90.0, 135.0])
@pytest.mark.parametrize("ends", ["half", "rounded"])
def test_a_dose_along_rows_columns_or_both_makes_no_steps_of_whole_lines_of_voxels(
    ends: Ends, degrees: float
) -> None:
    """Of a cylinder, what lies beyond a plane is a segment of its circle."""
    geometry, radius = ct(2.0), 26.0
    along = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0.0])
    dose = filled(DOSE_GRID, lambda p: 50.0 + p @ along)
    drawn = contours(geometry, lambda z: radius if abs(z) < 33.0 else 0.0)
    dvh = Dvh.of(sample_contours(dose, drawn, geometry, ends=ends).sampled)
    assert dvh.mean_gy() == pytest.approx(50.0, abs=0.01)
    for beyond in np.linspace(-3.0, 3.0, 121):
        half = np.arccos(beyond / radius)
        segment = (half - np.sin(half) * np.cos(half)) / np.pi
        found = dvh.volume_at_dose_cc(50.0 + beyond) / dvh.volume_cc
        assert found == pytest.approx(segment, abs=0.005)
