"""The simulated physician: skilled, not perfect, and content with what could be their own."""

import numpy as np
import pytest

from app.experiment.physician import correct, opinion_of
from dose.difference import dice
from tests.support.opinions import GEOMETRY, ball, certain, rng


def test_an_opinion_lies_about_as_far_from_the_truth_as_two_physicians_lie_apart():
    found = [
        dice(opinion_of(ball(), GEOMETRY, np.random.default_rng(s)).meant, ball()) for s in range(4)
    ]
    assert all(0.93 < value < 0.985 for value in found)
    assert len(set(found)) == 4


def test_the_same_patient_gets_the_same_opinion_and_one_slice_in_ten_is_overlooked():
    first, again = opinion_of(ball(), GEOMETRY, rng()), opinion_of(ball(), GEOMETRY, rng())
    assert np.array_equal(first.meant, again.meant)
    assert np.array_equal(first.looked, again.looked)
    many = [opinion_of(ball(), GEOMETRY, np.random.default_rng(s)).looked for s in range(30)]
    assert np.mean(many) == pytest.approx(0.9, abs=0.02)


def test_nothing_is_painted_where_the_border_is_as_near_as_the_physicians_own_next_one():
    result = correct(ball(shift=1), certain(ball()), rng())  # 3 mm
    assert not (result.red | result.green).any()
    assert np.array_equal(result.approved, ball(shift=1))


def test_only_the_stretch_that_lies_too_far_off_is_painted():
    meant, proposal = ball(52.0), ball(50.0)
    proposal[20, 24:37, 40:] = False  # a bite of 20 mm into a border that is 2 mm off elsewhere
    result = correct(proposal, certain(meant), rng())
    assert np.array_equal(result.approved[20, 24:37, 40:], meant[20, 24:37, 40:])
    assert np.array_equal(result.approved[20, :, :36], proposal[20, :, :36])
    assert not result.red[[18, 19, 21, 22]].any()


def test_a_slice_without_a_proposal_is_painted_whole_and_one_too_many_removed():
    meant, proposal = ball(), ball()
    proposal[20] = False
    proposal[38, 25:35, 25:35] = True
    result = correct(proposal, certain(meant), rng())
    assert np.array_equal(result.approved, meant)
