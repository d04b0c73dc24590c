"""What lies between the nodes of a dose grid, against doses that formulas describe."""

from __future__ import annotations

import numpy as np
import pytest

from core.geometry import Points
from dose.grid import SampledDose, sample_parts
from dose.interpolation import Between
from tests.dose.grids import centred, centres_mm, filled, grid, turned

CT = centred((10, 40, 40), (2.0, 1.0, 1.0))
BOX = (slice(0, 10), slice(0, 40), slice(0, 40))
WHOLE = np.ones(CT.shape)
BOTH: tuple[Between, ...] = ("linear", "cubic")


def edge(points_mm: Points) -> Points:
    """A field's edge, askew to every axis: from 80 to 20 % within 8 mm."""
    along = points_mm @ np.array([0.8, 0.5, 0.33])
    return np.asarray(50.0 / (1.0 + np.exp(along / 3.0)))


def sampled(degrees: float, between: Between) -> SampledDose:
    dose = filled(centred((40, 40, 40), (2.5, 2.5, 2.5), turned(degrees)), edge)
    return sample_parts(dose, CT, BOX, iter(WHOLE), between=between)


@pytest.mark.parametrize("degrees", [0.0, 17.0])
def test_a_cubic_is_twenty_times_nearer_to_a_steep_dose_than_a_line(degrees: float) -> None:
    truth = edge(centres_mm(CT)).ravel()
    off = {b: np.abs(sampled(degrees, b).values_gy - truth).max() for b in BOTH}
    assert off["linear"] > 0.4
    assert off["cubic"] < off["linear"] / 20.0


@pytest.mark.parametrize("between", BOTH)
def test_nodes_have_their_own_dose(between: Between) -> None:
    rng = np.random.default_rng(4)
    dose = filled(CT, lambda p: rng.uniform(0.0, 60.0, p.shape[:-1]))
    found = sample_parts(dose, CT, BOX, iter(WHOLE), between=between)
    np.testing.assert_allclose(found.values_gy, dose.values.ravel(), rtol=1e-9)


@pytest.mark.parametrize("degrees", [0.0, 17.0])
def test_a_part_of_the_grid_is_read_as_the_whole_grid_would_be(degrees: float) -> None:
    """Only what lies near the structure is looked at; a spline reaches further than a line."""
    small = (slice(4, 6), slice(10, 14), slice(20, 23))
    dose = filled(centred((40, 40, 40), (2.5, 2.5, 2.5), turned(degrees)), edge)
    part = sample_parts(dose, CT, small, iter(WHOLE[small]), between="cubic")
    whole = sampled(degrees, "cubic").values_gy.reshape(CT.shape)[small]
    np.testing.assert_allclose(part.values_gy, whole.ravel(), atol=1e-5)


def test_a_line_never_leaves_the_doses_around_it_and_a_cubic_may() -> None:
    step = filled(
        centred((20, 30, 30), (2.5, 2.5, 2.5)), lambda p: np.where(p[..., 0] > 0.5, 40.0, 0.0)
    )
    linear, cubic = (sample_parts(step, CT, BOX, iter(WHOLE), between=b).values_gy for b in BOTH)
    assert (linear.min(), linear.max()) == pytest.approx((0.0, 40.0))
    assert cubic.min() < -1.0
    assert cubic.max() > 41.0


@pytest.mark.parametrize("between", BOTH)
@pytest.mark.parametrize("planes", [1, 2, 3])
def test_a_dose_of_few_planes_is_read_on_them(planes: int, between: Between) -> None:
    flat = filled(
        grid((planes, 20, 20), (2.0, 3.0, 3.0), (-28.5, -28.5, -9.0)), lambda p: p[..., 2]
    )
    found = sample_parts(flat, CT, BOX, iter(WHOLE), between=between)
    covered = centres_mm(CT)[..., 2].ravel()[found.inside]
    np.testing.assert_allclose(found.values_gy, covered, atol=1e-9 if between == "linear" else 0.4)
    assert len(np.unique(covered)) == planes
