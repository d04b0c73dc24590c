"""A curve keeps its shape and stays small."""

from __future__ import annotations

import pytest

from app.telling import MOST_POINTS, curve_of, seconds_left
from model.keeper import Look


def test_a_short_curve_has_every_step() -> None:
    curve = curve_of([0.5, 0.4, 0.3], [Look(3, 0.81234)])
    assert curve == {"every": 1, "loss": [0.5, 0.4, 0.3], "looks": [[3, 0.8123]]}


@pytest.mark.parametrize("steps", [201, 1200, 3601])
def test_a_long_one_is_thinned_to_means(steps: int) -> None:
    curve = curve_of([i / steps for i in range(steps)], [])
    assert len(curve["loss"]) <= MOST_POINTS
    assert (len(curve["loss"]) - 1) * curve["every"] < steps <= len(curve["loss"]) * curve["every"]
    middle = curve["loss"][len(curve["loss"]) // 2]
    assert middle == pytest.approx(0.5, abs=0.01)


def test_a_pause_for_predictions_does_not_make_the_rest_of_a_round_long() -> None:
    """Four steps with two minutes of waiting would be told as hours."""
    assert seconds_left([0.5, 0.6, 120.0, 0.6], 356) == pytest.approx(0.6 * 356)
