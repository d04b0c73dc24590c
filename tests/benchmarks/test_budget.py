"""Equal seconds become steps: what a step costs is measured once, without what surrounds it."""

import time

import pytest

from benchmarks.stream.budget import seconds_a_step


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_step_costs_what_it_costs_without_the_rest_and_is_measured_once(tmp_path):
    calls = []

    def take(steps: int) -> None:
        calls.append(steps)
        busy(0.1 + 0.02 * steps)

    assert seconds_a_step(tmp_path, "a", take) == pytest.approx(0.02, rel=0.1)
    assert len(calls) > 1
    measured = len(calls)
    assert seconds_a_step(tmp_path, "a", lambda _: pytest.fail("measured again")) > 0
    assert seconds_a_step(tmp_path, "b", lambda steps: busy(0.01 * steps)) == pytest.approx(
        0.01, rel=0.2
    )
    assert len(calls) == measured
