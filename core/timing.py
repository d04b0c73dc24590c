"""How long somebody worked on each case, from what they did.

As Smith et al. 2022 (Med Phys 49:461, "Interaction logging and annotation duration"): time counts
for a case from its opening until the next one is opened, without the periods of at least 20 s in
which nothing was done.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import TypeVar

IDLE_S = 20.0
"""From here on a pause is none of the work."""

What = TypeVar("What", bound=Hashable)


def active_s(
    events: Iterable[tuple[datetime, What]], *, idle_s: float = IDLE_S
) -> dict[What, float]:
    """Seconds of work by what was worked on, in the order of the first event.

    `events` are one person's, in any order. The pause after an event belongs to what the event
    was about, also where the next one is about something else; one of `idle_s` or more to nothing.
    """
    ordered = sorted(events, key=lambda event: event[0])
    spent: dict[What, float] = {}
    for index, (at, what) in enumerate(ordered):
        following = ordered[index + 1][0] if index + 1 < len(ordered) else at
        pause_s = (following - at).total_seconds()
        spent[what] = spent.get(what, 0.0) + (pause_s if pause_s < idle_s else 0.0)
    return spent
