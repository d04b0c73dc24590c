"""The strict physician of the benchmark, and what it has in common with that of the experiment."""

from collections.abc import Callable

import numpy as np
import pytest

from app.experiment import physician
from app.experiment.physician import Corrected, Opinion
from benchmarks.stream import corrector
from benchmarks.stream.corrector import correct
from core.geometry import Mask
from dose.difference import dice
from tests.support.opinions import ball, certain, rng

Correct = Callable[[Mask, Opinion, np.random.Generator], Corrected]
BOTH = pytest.mark.parametrize(
    "correct", [physician.correct, corrector.correct], ids=["content", "strict"]
)


def test_nothing_is_painted_on_a_proposal_that_is_meant():
    result = correct(ball(), certain(ball()), rng())
    assert not result.red.any()
    assert not result.green.any()
    assert np.array_equal(result.approved, ball())


@BOTH
def test_errors_are_painted_on_their_side_and_the_approved_mask_is_what_was_painted_over(
    correct: Correct,
) -> None:
    meant, proposal = ball(), ball(shift=4)
    result = correct(proposal, certain(meant), rng())
    assert result.red.any()
    assert result.green.any()
    assert not (result.red & ~meant).any()
    assert not (result.green & meant).any()
    assert np.array_equal(result.approved, (proposal | result.red) & ~result.green)
    assert dice(result.approved, meant) > 0.98 > dice(proposal, meant)


@BOTH
def test_an_overlooked_slice_keeps_its_error(correct: Correct) -> None:
    meant, proposal = ball(), ball(shift=4)
    result = correct(proposal, certain(meant, 20, 25), rng())
    for number in (20, 25):
        assert not (result.red | result.green)[number].any()
        assert np.array_equal(result.approved[number], proposal[number])
    assert (result.red | result.green)[21].any()
    assert set(range(len(meant))) - set(result.slices_seen) == {20, 25}


@BOTH
def test_a_false_structure_far_away_is_removed(correct: Correct) -> None:
    proposal = ball()
    proposal[3:6, 2:8, 2:8] = True
    assert not correct(proposal, certain(ball()), rng()).approved[3:6, 2:8, 2:8].any()


def test_a_useless_proposal_is_drawn_anew_with_a_ring_and_overlooked_slices_filled():
    meant = ball()
    result = correct(np.zeros_like(meant), certain(meant, 18), rng())
    assert np.array_equal(result.approved[20], meant[20])
    assert not (result.red | result.green)[18].any()
    assert np.array_equal(result.approved[18], meant[17]) or np.array_equal(
        result.approved[18], meant[19]
    )
    ring_mm = 3.0 * (
        np.flatnonzero(result.green[20, 30]).max() - np.flatnonzero(meant[20, 30]).max()
    )
    assert ring_mm == pytest.approx(12.0)
