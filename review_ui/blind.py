"""What is hidden from a second observer until the contour is signed: by default everything.

Whoever contours a case independently must learn nothing of what is proposed for it, of what others
contoured, or in which arm it is. So every route about that case is closed to them, and of all other
routes those alone are open that say nothing of cases or leave such cases out.
"""

from __future__ import annotations

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from core.store import Store
from review_ui.context import Desk
from review_ui.errors import answer
from review_ui.roles import OWN_ENDPOINTS

OPEN = frozenset(
    {
        # These leave the hidden cases out.
        "worklist.page",
        "worklist.api",
        "worklist.following",
        "worklist.search",
        "work.page",
        "status.page",
        "status.api",
        "reports.dose_csv",
        "reports.returned_csv",
        # One's own observations alone.
        "observations.page",
        "observations.facts",
        "observations.open_observation",
        "observations.renew",
        "observations.release",
        "observations.journal",
        "observations.add_entry",
        "observations.ct",
        "observations.layers",
        "observations.figures",
        "observations.events",
        "observations.sign",
        # Nothing of cases.
        *OWN_ENDPOINTS,
        "keys.keep",
        "users.page",
        "users.create",
        "users.reset_password",
        "users.change_roles",
        "users.change_active",
        "users.reset_second_factor",
        "users.change_groups",
        "peers.echo",
        "metrics.page",
        "openapi.spec",
    }
)

HIDDEN = (
    "You contour this case as a second observer. It is hidden from you until you have signed your "
    "contour; open it from the worklist."
)
CLOSED = (
    "This page tells of cases, and one of them you contour as a second observer. It opens again "
    "when you have signed your contour."
)


def hidden_from(store: Store, who: str) -> dict[str, str]:
    """The cases hidden from somebody: the observation by the case."""
    return {found.case_id: found.id for found in store.observations.unsigned_of(who)}


def note_look(room: Desk, who: str) -> None:
    """Keep that this request showed something of a case: who asked cannot observe it any more."""
    if request.view_args and request.blueprint != "observations":
        room.store.looks.note([request.view_args["case_id"]], who=who, now=room.now())


def refusal_for(store: Store, who: str) -> ResponseReturnValue | None:
    """The answer to a request that would tell a second observer something; None to go on."""
    if request.endpoint is None or request.endpoint in OPEN:
        return None
    hidden = hidden_from(store, who)
    if not hidden:
        return None
    case_id = (request.view_args or {}).get("case_id")
    if case_id in hidden and request.endpoint == "review.page":
        return redirect(url_for("observations.page", observation_id=hidden[case_id]))
    if case_id in hidden:
        return answer(403, "blind", HIDDEN)
    return None if case_id is not None else answer(403, "blind", CLOSED)
