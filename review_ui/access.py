"""Whether a reviewer may change a case now, must ask first, or may only look; and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from core.case import CaseState
from core.delivery_store import HELD, SENT
from core.records import Case, Correction, Delivery
from core.turn_store import TURNABLE
from review_ui.context import Desk
from review_ui.roles import May, refusal
from review_ui.words import delivery_in_words, standing_in_words

CLOSED = frozenset({CaseState.APPROVED, CaseState.DELIVERED, CaseState.REJECTED})
REVIEWABLE = frozenset({CaseState.ASSEMBLED, CaseState.PREDICTED, CaseState.IN_REVIEW})


@dataclass(frozen=True, slots=True)
class Access:
    """`mode` is edit, ask (by the button `offer`) or look; `why` is a sentence, empty for edit."""

    mode: str
    why: str = ""
    offer: str = ""


def access_of(desk: Desk, current: Case, *, user: str, may: frozenset[May]) -> Access:
    """How `user` may open the case."""
    if current.state in CLOSED:
        return Access("look", current.reason)
    if May.CONTOUR not in may:
        return Access("look", refusal(May.CONTOUR))
    if current.state not in REVIEWABLE:
        return Access("look", current.reason or f"The case is {current.state}.")
    return _among_colleagues(desk, current, user)


def _among_colleagues(desk: Desk, current: Case, user: str) -> Access:
    held = desk.store.reviews.holder(current.id, now=desk.now())
    if held is not None and held[0] != user:
        return Access("ask", f"{held[0]} is reviewing this case now.", "Take over")
    owner = desk.store.reviews.owner(current)
    if held is None and owner is not None and owner != user:
        return Access("ask", f"This case is {owner}'s.", "Edit")
    return Access("edit")


def flow_facts(desk: Desk, current: Case, *, user: str, may: frozenset[May]) -> dict[str, Any]:
    """What may be done with a case as a whole, for the review page."""
    roi_name = desk.roi_of(current)
    every = desk.store.deliveries.all(case_id=current.id)
    deliveries = [found for found in every if found.roi_name == roi_name]
    approved = desk.store.reviews.correction_of(current.id, roi_name)
    closed = current.state in CLOSED
    access = access_of(desk, current, user=user, may=may)
    return {
        "access": asdict(access),
        "assigned_to": current.assigned_to,
        "may_decide": May.APPROVE in may,
        "may_reopen": May.APPROVE in may and closed and _has_settled(current, deliveries),
        "may_send_again": May.SEND in may,
        "structures": _structures(desk, current),
        "may_turn": May.CONTOUR in may and current.state in TURNABLE and access.mode != "ask",
        "approved": _approval(desk, approved, deliveries, may) if closed and approved else None,
        # What was approved before a case was re-opened.
        "replaces": None if closed or approved is None else _version(desk, approved),
    }


def _structures(desk: Desk, current: Case) -> list[dict[str, str]]:
    """Where each structure of the rule stands; empty where there is one alone."""
    standings = desk.store.turns.standings(current)
    if len(standings) < 2:
        return []
    return [
        {"roi": roi, "state": str(state), "words": standing_in_words(state)}
        for roi, state in standings.items()
    ]


def _approval(
    desk: Desk, approved: Correction, deliveries: list[Delivery], may: frozenset[May]
) -> dict[str, Any]:
    own = [d for d in deliveries if d.correction_id == approved.id]
    return {
        **_version(desk, approved),
        "held_s": _held_s(desk, own) if May.APPROVE in may else None,
        "deliveries": [
            {
                "destination": d.destination,
                "state": d.state,
                "words": delivery_in_words(d, now=desk.now()),
                "last_error": d.last_error,
            }
            for d in own
        ],
    }


def _version(desk: Desk, approved: Correction) -> dict[str, Any]:
    return {
        "by": approved.approved_by,
        "at": approved.approved_at.isoformat(),
        "version": desk.store.flow.version_of(approved),
    }


def _held_s(desk: Desk, deliveries: list[Delivery]) -> float | None:
    """Seconds for which the approval can surely be taken back; None where it cannot."""
    waiting = [d for d in deliveries if d.is_held_back]
    if not waiting or len(waiting) < len(deliveries):
        return None
    left_s = (min(d.next_try_at for d in waiting) - desk.now()).total_seconds()
    return max(0.0, left_s)


def _has_settled(current: Case, deliveries: list[Delivery]) -> bool:
    return current.state is not CaseState.APPROVED or all(
        d.state in {SENT, HELD} for d in deliveries
    )
