"""Time on a case, as the published work counts it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.timing import active_s

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def at(seconds: float, what: str = "a") -> tuple[datetime, str]:
    return START + timedelta(seconds=seconds), what


def test_pauses_below_twenty_seconds_count_and_longer_ones_do_not() -> None:
    events = [at(0), at(19.999), at(30), at(50), at(51)]
    # 19.999 + 10.001, then exactly 20 s of nothing, then 1.
    assert active_s(events) == {"a": pytest.approx(31.0)}


def test_a_case_takes_time_until_the_next_one_is_opened() -> None:
    events = [at(0, "a"), at(10, "a"), at(22, "b"), at(25, "b")]
    assert active_s(events) == {"a": pytest.approx(22.0), "b": pytest.approx(3.0)}


def test_a_case_that_is_taken_up_again_goes_on_where_it_was() -> None:
    events = [at(0, "a"), at(5, "a"), at(100, "b"), at(101, "b"), at(200, "a"), at(207, "a")]
    assert active_s(events) == {"a": pytest.approx(12.0), "b": pytest.approx(1.0)}


def test_the_order_in_which_batches_come_does_not_matter() -> None:
    events = [at(s, "ab"[s % 2]) for s in (0, 3, 4, 9, 40, 41)]
    assert active_s(reversed(events)) == active_s(events)


def test_nothing_done_takes_no_time() -> None:
    assert active_s([]) == {}
    assert active_s([at(7)]) == {"a": 0.0}
