"""My work: how long each case took, in the order in which they were begun."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from apiflask import APIBlueprint
from flask import abort, render_template, request
from flask_security import current_user

from core.records import Case
from core.timing_store import Worked
from review_ui.blind import hidden_from
from review_ui.context import desk
from review_ui.groups import my_sight
from review_ui.roles import May, i_may
from review_ui.words import ARM_WORDS, duration_in_words, readable_name

blueprint = APIBlueprint("work", __name__, enable_openapi=False)

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 200, 44, 22
STEPS_MIN = (1, 2, 5, 10, 20, 30, 60, 120, 240, 480)


@blueprint.get("/work")
def page() -> str:
    """One's own times; `?user=` for accounts that look after the node or read the audit."""
    room, me = desk(), str(current_user.username)
    all_people = sees_times_of_others()
    who = request.args.get("user", me)
    if who != me and not all_people:
        abort(403, "Only physicists and administrators see the times of others.")
    hidden = {} if who == me else hidden_from(room.store, me)
    work = [one for one in room.store.timing.work_of(who) if one.case_id not in hidden]
    cases = room.store.worklist.cases((one.case_id for one in work), sight=my_sight())
    work = [one for one in work if one.case_id in cases]
    return render_template(
        "work.html",
        who=who,
        mine=who == me,
        people=sorted({me, *room.store.timing.people()}) if all_people else [],
        rows=[_row(cases[one.case_id], number, one) for number, one in enumerate(work, 1)],
        medians=medians(work),
        plot=plot(work),
    )


def sees_times_of_others() -> bool:
    """Whether the account that asks may know how long others take."""
    return i_may(May.NODE) or i_may(May.AUDIT)


def medians(work: Sequence[Worked]) -> list[dict[str, Any]]:
    """Median time of each arm that there is work in, with the number of cases."""
    found = []
    for arm, words in ARM_WORDS.items():
        seconds = [one.seconds for one in work if one.arm == arm]
        if seconds:
            middle = duration_in_words(median(seconds))
            found.append({"arm": arm, "words": words, "cases": len(seconds), "median": middle})
    return found


def plot(work: Sequence[Worked]) -> dict[str, Any] | None:
    """Places of points, lines and labels of the picture, in its own units; None without work."""
    if not work:
        return None
    longest_min = max(one.seconds for one in work) / 60
    step_min = next((s for s in STEPS_MIN if longest_min <= 5 * s), STEPS_MIN[-1])
    lines = max(1, -(-int(longest_min * 1000) // (step_min * 1000)))
    top_s = 60.0 * step_min * lines

    def height(seconds: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 10) * seconds / top_s, 1)

    across = (WIDTH - LEFT - 20) / max(1, len(work) - 1)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "lines": [
            {"y": height(60.0 * step_min * i), "label": f"{step_min * i} min"}
            for i in range(lines + 1)
        ],
        "points": [
            {
                "x": round(LEFT + 10 + across * i, 1),
                "y": height(one.seconds),
                "arm": one.arm,
                "words": f"{i + 1}: {duration_in_words(one.seconds)}, {ARM_WORDS[one.arm]}",
            }
            for i, one in enumerate(work)
        ],
    }


def _row(current: Case, number: int, one: Worked) -> dict[str, Any]:
    return {
        "number": number,
        "case_id": current.id,
        "patient": readable_name(current.patient_name) or current.patient_id or "Unnamed patient",
        "arm": one.arm,
        "arm_words": ARM_WORDS[one.arm],
        "begun_at": one.begun_at,
        "seconds": one.seconds,
        "took": duration_in_words(one.seconds),
    }
