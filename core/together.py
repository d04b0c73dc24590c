"""Work that costs as much for many as for one: who comes while it runs is done with the next."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class _Waiting(Generic[Item, Result]):
    item: Item
    turn: threading.Event = field(default_factory=threading.Event)
    done: bool = False
    result: Result | None = None
    error: Exception | None = None


class Together(Generic[Item, Result]):
    """Calls `work` with the items of all callers that wait, in the thread of one of them.

    `work` gives a result for each item, in order. Where it fails with several, each is tried by
    itself: nobody fails for another's sake.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._waiting: list[_Waiting[Item, Result]] = []
        self._somebody_works = False

    def do(self, item: Item) -> Result:
        """The result of `item`; raises what `work` raised."""
        mine: _Waiting[Item, Result] = _Waiting(item)
        with self._lock:
            self._waiting.append(mine)
            if not self._somebody_works:
                self._somebody_works = True
                mine.turn.set()
        mine.turn.wait()
        if not mine.done:
            self._work_for_all()
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # there, where no error is

    def _work_for_all(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting, []
        try:
            self._try(batch)
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting[0].turn.set()  # works for all who came meanwhile
                else:
                    self._somebody_works = False
            for waiting in batch:
                waiting.done = True
                waiting.turn.set()

    def _try(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results = self._work([waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001 (raised again where its item came from)
            if len(batch) == 1:
                batch[0].error = error
                return
            for waiting in batch:
                self._try([waiting])
        else:
            for waiting, result in zip(batch, results, strict=True):
                waiting.result = result
