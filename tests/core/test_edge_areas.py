"""Covered parts from edges alone, against areas that are known, and when they do not hold."""

from __future__ import annotations

import numpy as np
import pytest

from core.edge_areas import edge_areas
from core.geometry import Points

SHAPE = (30, 40)


def blob(seed: int, middle: tuple[float, float] = (14.0, 19.0), radius: float = 9.0) -> Points:
    """A wavy closed line of many corners that does not cross itself."""
    rng = np.random.default_rng(seed)
    turn = np.linspace(0.0, 2.0 * np.pi, 200, endpoint=False)
    waves = sum(rng.uniform(-0.1, 0.1) * np.sin(n * turn + rng.uniform(0, 6)) for n in (2, 3, 5, 9))
    away = radius * (1.0 + waves)
    return np.column_stack([middle[0] + away * np.sin(turn), middle[1] + away * np.cos(turn)])


def area_of(points: Points) -> float:
    row, column = points.T
    return abs(float(np.sum(row * np.roll(column, -1) - column * np.roll(row, -1)))) / 2.0


@pytest.mark.parametrize("seed", range(5))
def test_a_line_covers_its_area_whichever_way_it_runs(seed: int) -> None:
    points = blob(seed)
    covered, holds = edge_areas([[points], [points[::-1]]], SHAPE)
    assert holds.all()
    assert covered.sum(axis=(1, 2)) == pytest.approx([area_of(points)] * 2, rel=1e-12)
    assert covered[0] == pytest.approx(covered[1], abs=1e-12)


def test_each_pixel_has_its_own_part() -> None:
    """A triangle, cut by hand: columns 2 to 4 of row 1, a slope through two pixels."""
    triangle = np.array([[0.5, 1.5], [1.5, 1.5], [1.5, 3.5]])
    covered, holds = edge_areas([[triangle]], (3, 5))
    assert holds.all()
    expected = np.zeros((3, 5))
    expected[1, 2:4] = [0.75, 0.25]
    assert covered[0] == pytest.approx(expected, abs=1e-12)


def test_what_leaves_the_picture_is_cut_off_and_touches_no_other_slice() -> None:
    wide = np.array([[-9.0, -7.0], [-9.0, 90.0], [12.25, 90.0], [80.0, -7.0]])
    beside = np.array([[2.0, 50.0], [9.0, 50.0], [9.0, 60.0]])
    covered, holds = edge_areas([[beside], [wide], [beside[::-1]]], SHAPE)
    assert holds.all()
    assert not covered[[0, 2]].any()
    # Below row 12.25 the slope takes column 90 - 97 (row - 12.25) / 67.75 and what is left of it.
    rows, columns = np.meshgrid(
        (np.arange(30 * 40) + 0.5) / 40 - 0.5, (np.arange(40 * 40) + 0.5) / 40 - 0.5, indexing="ij"
    )
    inside = (rows < 12.25) | (columns < 90.0 - 97.0 * (rows - 12.25) / 67.75)
    expected = inside.reshape(30, 40, 40, 40).mean(axis=(1, 3))
    assert covered[1] == pytest.approx(expected, abs=0.02)


def test_pieces_apart_add_up_and_a_keyhole_leaves_its_hole_free() -> None:
    apart = [blob(1, (10.0, 10.0), 5.0), blob(2, (18.0, 28.0), 6.0)[::-1]]
    outer, inner = blob(3), blob(4, radius=3.0)[::-1]
    keyhole = np.concatenate([outer, outer[:1], inner, inner[:1]])
    covered, holds = edge_areas([apart, [keyhole]], SHAPE)
    assert holds.all()
    expected = [area_of(apart[0]) + area_of(apart[1]), area_of(outer) - area_of(inner)]
    assert covered.sum(axis=(1, 2)) == pytest.approx(expected, rel=1e-9)


def test_lines_that_overlap_or_cross_themselves_do_not_hold() -> None:
    eight = np.array([[5.0, 5.0], [20.0, 25.0], [5.0, 25.0], [20.0, 5.0]])
    hole_of_its_own = [blob(1), blob(2, radius=3.0)]
    overlapping = [blob(1), blob(1, (14.0, 24.0))]
    _, holds = edge_areas([[blob(1)], [eight], hole_of_its_own, overlapping], SHAPE)
    assert holds.tolist() == [True, False, False, False]


def test_lines_without_an_area_cover_nothing() -> None:
    flat = np.array([[5.0, 3.0], [5.0, 9.0], [5.0, 6.0]])
    point = np.array([[4.0, 4.0]])
    covered, holds = edge_areas([[flat, point]], SHAPE)
    assert holds.all()
    assert not covered.any()
