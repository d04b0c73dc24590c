"""Beams on different lattices, summed to fields that are known everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import GeometryMismatchError
from core.geometry import Points
from dose.grid import sample_dose
from dose.summing import sum_of_doses
from tests.dose.grids import ball, centred, centres_mm, filled, grid, turned


def rising(points_mm: Points) -> Points:
    return np.asarray(10.0 + 0.2 * points_mm[..., 0] + 0.1 * points_mm[..., 2])


def falling(points_mm: Points) -> Points:
    return np.asarray(5.0 - 0.1 * points_mm[..., 0] + 0.05 * points_mm[..., 1])


def test_beams_on_one_lattice_are_added() -> None:
    lattice = centred((5, 6, 7), (3.0, 2.5, 2.5))
    total = sum_of_doses([filled(lattice, rising), filled(lattice, falling)])
    assert total.geometry == lattice
    assert np.allclose(total.values, rising(centres_mm(lattice)) + falling(centres_mm(lattice)))


def test_beams_on_different_lattices_are_added_on_the_first_where_all_reach() -> None:
    """Linear fields, so trilinear is exact: the sum is known at every node that is left."""
    first = centred((9, 11, 11), (3.0, 2.5, 2.5))
    second = grid((9, 12, 9), (2.0, 2.0, 3.0), (-11.0, -10.9, -7.3))
    total = sum_of_doses([filled(first, rising), filled(second, falling)])
    nodes = centres_mm(total.geometry)
    assert np.allclose(total.values, rising(nodes) + falling(nodes), atol=1e-5)
    last = np.asarray(second.origin_mm) + np.array([8 * 3.0, 11 * 2.0, 8 * 2.0])
    assert (nodes >= np.asarray(second.origin_mm) - 0.01).all()
    assert (nodes <= last + 0.01).all()
    assert total.values.size < np.prod(first.shape)
    # Nothing that all reach was lost: one step further lies outside the second grid.
    before = np.asarray(total.geometry.origin_mm) - np.array([2.5, 2.5, 3.0])
    assert (before < np.asarray(second.origin_mm)).all()


def test_a_curved_field_of_two_beams_has_the_mean_of_its_parts() -> None:
    def gauss(points_mm: Points) -> Points:
        return np.asarray(20.0 * np.exp(-(points_mm**2).sum(axis=-1) / (2 * 40.0**2)))

    first = centred((41, 41, 41), (2.5, 2.5, 2.5))
    second = grid((50, 50, 50), (2.5, 2.5, 2.5), (-61.3, -60.4, -61.9))
    ct = centred((60, 70, 70), (1.5, 1.0, 1.0))
    heart = ball(ct, 30.0)
    total = sum_of_doses([filled(first, gauss), filled(second, gauss)])
    found = sample_dose(total, ct, heart).values_gy.mean()
    expected = 2 * gauss(centres_mm(ct)[heart]).mean()
    print(f"mean {found:.4f} Gy, truth {expected:.4f} Gy, {100 * (found / expected - 1):+.3f} %")
    assert found == pytest.approx(expected, rel=0.002)


def test_grids_that_do_not_meet_or_are_turned_are_refused() -> None:
    first = filled(centred((5, 6, 7), (3.0, 2.5, 2.5)), rising)
    away = filled(grid((5, 6, 7), (3.0, 2.5, 2.5), (100.0, 0.0, 0.0)), rising)
    with pytest.raises(GeometryMismatchError, match="no part in common"):
        sum_of_doses([first, away])
    skew = filled(centred((5, 6, 7), (3.0, 2.5, 2.5), turned(30)), rising)
    with pytest.raises(GeometryMismatchError, match="turned against each other"):
        sum_of_doses([first, skew])
    with pytest.raises(GeometryMismatchError, match="no dose to sum"):
        sum_of_doses([])
