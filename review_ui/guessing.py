"""How many passwords may be tried: few by one address for one name, more by all for one name.

Counted in this process alone: who guesses cannot restart it, and nobody stays locked out by a row.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from flask import Response, after_this_request

WINDOW = timedelta(minutes=15)
LIMITS = {"pair": 5, "name": 50, "address": 100}
"""Refused logins within `WINDOW` after which no more are looked at.

The second is ten times the first, so that a stranger who guesses does not soon keep the person out;
the third is as many as a whole clinic behind one proxy may mistype.
"""
MOST_REMEMBERED = 20_000

Key = tuple[str, str, str]


@dataclass
class Guesses:
    """Refused logins of the last minutes, by name and address."""

    _refused: dict[Key, deque[datetime]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, name: str, address: str, *, now: datetime) -> timedelta:
        """How long until this address may try this name again; zero: it may now.

        Without a name the address alone counts.
        """
        with self._lock:
            return max((self._wait(key, now) for key in _keys(name, address)), default=timedelta())

    def refuse(self, name: str, address: str, *, now: datetime) -> bool:
        """Count a refused login; whether it was the last that is looked at for now."""
        with self._lock:
            if len(self._refused) > MOST_REMEMBERED:
                self._forget(now)
            for key in _keys(name, address):
                # Taken out and put in again: the oldest stand first.
                times = self._refused.pop(key, None) or deque(maxlen=LIMITS[key[0]])
                times.append(now)
                self._refused[key] = times
            return any(self._wait(key, now) for key in _keys(name, address))

    def accept(self, name: str, address: str) -> None:
        """A right password: what this person mistyped before does not count."""
        with self._lock:
            self._refused.pop(("pair", name.casefold(), address), None)

    def _wait(self, key: Key, now: datetime) -> timedelta:
        times = self._refused.get(key)
        if times is None or len(times) < LIMITS[key[0]]:
            return timedelta()
        return max(times[0] + WINDOW - now, timedelta())

    def _forget(self, now: datetime) -> None:
        old = [key for key, times in self._refused.items() if times[-1] + WINDOW <= now]
        for key in old or list(self._refused)[: MOST_REMEMBERED // 2]:
            del self._refused[key]


def _keys(name: str, address: str) -> Iterator[Key]:
    name = name.casefold()[:64]
    if name:
        yield "pair", name, address
        yield "name", name, ""
    if address:
        yield "address", "", address


def too_many(wait: timedelta) -> str:
    """What the page says of a wait; the answer says it to programs."""

    @after_this_request
    def _say(response: Response) -> Response:
        response.status_code = 429
        response.headers["Retry-After"] = str(ceil(wait.total_seconds()))
        return response

    minutes = ceil(wait / timedelta(minutes=1))
    return (
        f"Too many attempts that were not right. Try again in {minutes} "
        f"{'minute' if minutes == 1 else 'minutes'}."
    )
