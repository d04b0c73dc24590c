"""What is wrong with the node, for whoever looks after it and for whoever contours."""

from __future__ import annotations

from core.alert_store import Alert
from review_ui.context import Desk
from review_ui.groups import my_sight
from review_ui.roles import May, i_may

FOR_WHO_CONTOURS = {
    "delivery": "Structure sets do not reach {about} at the moment. What you approve is kept, and "
    "leaves as soon as it can; the page Deliveries says which.",
    "queue:intake": "New series take longer than usual to appear. They are kept.",
    "queue:predict": "Proposals of {about} take longer than usual. Contouring works without.",
}
"""By how a subject begins. These count nothing: the alerts count over all groups.

That the disk is full stands on every page already.
"""


def shown(room: Desk) -> list[dict[str, str]]:
    """What is wrong and concerns who asks, the oldest first; what could not be told of it."""
    standing = room.store.alerts.open()
    if my_sight() is not None:
        mine = standing if i_may(May.CONTOUR) else []
        told = ((words_for_who_contours(one), one.began_at) for one in mine)
        return [
            {"words": words, "began_at": began_at.isoformat(), "not_told": ""}
            for words, began_at in told
            if words
        ]
    untold = {n.alert.id: n.last_error for n in room.store.alerts.untold()}
    return [
        {
            "words": one.words,
            "began_at": one.began_at.isoformat(),
            "not_told": untold.get(one.id, ""),
        }
        for one in standing
    ]


def words_for_who_contours(one: Alert) -> str:
    """The sentence; empty where it is the affair of whoever looks after the node alone."""
    for begins, words in FOR_WHO_CONTOURS.items():
        if f"{one.subject}:".startswith(f"{begins}:"):
            return words.format(about=one.subject[len(begins) + 1 :])
    return ""
