from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.clinic import wait_for
from core.together import Together


def test_one_alone_is_done_at_once() -> None:
    together = Together[int, int](lambda items: [2 * item for item in items])
    assert [together.do(n) for n in range(3)] == [0, 2, 4]


def test_who_comes_while_somebody_works_is_done_with_the_next() -> None:
    batches: list[int] = []
    begun = threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        batches.append(len(items))
        begun.set()
        if items == [0]:
            wait_for(lambda: len(together._waiting) == 8, timeout_s=30, what="the others")
        return [2 * item for item in items]

    together = Together(work)
    with ThreadPoolExecutor(9) as callers:
        first = callers.submit(together.do, 0)
        begun.wait()
        rest = list(callers.map(together.do, range(1, 9)))
        assert first.result() == 0
    assert rest == [2 * n for n in range(1, 9)]
    assert batches == [1, 8]


def test_everybody_gets_their_own_result_however_many_come() -> None:
    together = Together[int, int](lambda items: [item * item for item in items])
    with ThreadPoolExecutor(16) as callers:
        assert list(callers.map(together.do, range(2_000))) == [n * n for n in range(2_000)]


def test_nobody_fails_for_anothers_sake() -> None:
    begun = threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        begun.set()
        if items == [0]:
            wait_for(lambda: len(together._waiting) == 5, timeout_s=30, what="the others")
        if 3 in items:
            raise ValueError("three")
        return list(items)

    together = Together(work)
    with ThreadPoolExecutor(6) as callers:
        outcomes = [callers.submit(together.do, 0)]
        begun.wait()
        outcomes += [callers.submit(together.do, n) for n in range(1, 6)]
        with pytest.raises(ValueError, match="three"):
            outcomes[3].result()
        assert [o.result() for n, o in enumerate(outcomes) if n != 3] == [0, 1, 2, 4, 5]
    assert together.do(7) == 7
