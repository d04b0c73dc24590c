"""What is searched for stays out of addresses: it may be a patient's name.

Histories of browsers and logs of proxies keep addresses; a number stands in them for the words.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict

MOST_REMEMBERED = 2000
LONGEST = 100


class Searches:
    """The words that people searched for, by the number in their address; gone at a restart."""

    def __init__(self) -> None:
        self._words: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._lock = threading.Lock()

    def number_of(self, words: str, *, who: str) -> str:
        """Keep what somebody searches for; the number that stands for it, empty for nothing."""
        words = words.strip()[:LONGEST]
        if not words:
            return ""
        number = secrets.token_hex(8)
        with self._lock:
            self._words[who, number] = words
            while len(self._words) > MOST_REMEMBERED:
                self._words.popitem(last=False)
        return number

    def words_of(self, number: str, *, who: str) -> str:
        """What this person searched for under this number; empty where it is not known."""
        with self._lock:
            return self._words.get((who, number), "")
