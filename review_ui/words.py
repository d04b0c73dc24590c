"""Where a case stands, in words a physician reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from math import ceil
from typing import Any

from core.case import CaseState, Split
from core.records import ASSISTED, MANUAL, OBSERVER, Case, Delivery, Returned
from core.rules import is_imported
from core.worklist_store import UNOPENED

# Dice expected of a prediction from which little, or some, is left to correct.
LITTLE_DICE, SOME_DICE = 0.93, 0.85

_SIMPLE = {
    CaseState.PREDICTED: "ready for review",
    CaseState.IN_REVIEW: "in review",
    CaseState.APPROVED: "approved",
    CaseState.DELIVERED: "approved and sent",
    CaseState.REJECTED: "rejected",
}

_IMPORTED: dict[Split | None, str] = {
    Split.TRAIN: "contoured elsewhere, teaches",
    Split.VALIDATION: "contoured elsewhere, judges",
}


def state_in_words(current: Case, *, instances: int, has_model: bool) -> str:
    """The case's state; `instances` is how many of its CT have come."""
    if current.state is CaseState.RECEIVING:
        return f"receiving, {instances} instances so far"
    if current.state in UNOPENED and is_imported(current):
        return _IMPORTED.get(current.split, "contoured elsewhere")
    if current.state is CaseState.ASSEMBLED:
        return "waiting for its prediction" if has_model else "no model yet, contour from scratch"
    if current.state is CaseState.FAILED:
        return "cannot be used"
    return _SIMPLE[current.state]


def standing_in_words(state: CaseState) -> str:
    """Where one of several structures of a case stands."""
    return _SIMPLE.get(state, "no prediction yet")


def structures_in_words(current: Case, approved: Collection[str]) -> str:
    """How many of the structures that its rule names are approved; empty where it names one."""
    wanted = () if current.routing is None else current.routing.structures
    if len(wanted) < 2:
        return ""
    done = sum(name in approved for name in wanted)
    return f"{done} of {len(wanted)} structures approved"


def effort_in_words(doubts: dict[str, Any]) -> str:
    """How much there may be to correct on a prediction; empty where nothing is known of it."""
    odd, expected = doubts.get("odd", ()), doubts.get("dice")
    if "nothing" in odd:
        return "nothing found, contour from scratch"
    if "unknown" in odd:
        return "unusual, look closely"
    if expected is None:
        return ""
    if expected["value"] >= LITTLE_DICE:
        return "little to correct"
    return "some to correct" if expected["value"] >= SOME_DICE else "much to correct"


def expected_dice_in_words(doubts: dict[str, Any]) -> str:
    """What a prediction is expected to score against what will be approved, and on what grounds."""
    expected, calibration = doubts.get("dice"), doubts.get("calibration")
    if expected is None or calibration is None:
        return ""
    return (
        f"{expected['value']:.2f} ({expected['low']:.2f} to {expected['high']:.2f} in 9 of 10), "
        f"from {calibration['cases']} {calibration['origin']}"
    )


def delivery_in_words(found: Delivery, *, now: datetime) -> str:
    """Where an approved structure set is on its way."""
    if found.is_held_back and found.next_try_at > now:
        left_s = ceil((found.next_try_at - now).total_seconds())
        return f"leaves for {found.destination} in {left_s} s"
    if found.state == "SENT":
        return _sent_in_words(found)
    if found.state == "HELD":
        return f"held: {found.last_error}"
    if found.commitment_error:
        return f"sent again to {found.destination} soon: {found.commitment_error}"
    if found.attempts:
        return f"queued for {found.destination}, tried {found.attempts} times"
    return f"queued for {found.destination}"


def deliveries_in_words(
    current: Case, deliveries: Sequence[Delivery], *, now: datetime
) -> list[str]:
    """Where the structure sets of a case are, each with its structure where there are several."""
    several = current.routing is not None and len(current.routing.structures) > 1
    return [
        f"{found.roi_name} {words}" if several else words
        for found in deliveries
        for words in [delivery_in_words(found, now=now)]
    ]


def _sent_in_words(found: Delivery) -> str:
    """Sent means accepted; committed means that the destination answers for keeping it."""
    if found.commitment == "COMMITTED":
        return f"committed by {found.destination}"
    if found.commitment == "REFUSED":
        return f"sent to {found.destination}, but: {found.commitment_error}"
    if found.commitment:
        return f"sent to {found.destination}, asked to commit"
    return f"sent to {found.destination}"


def outcome_in_words(came: Returned) -> str:
    """What became of a structure that came back after delivery."""
    if came.became is not None:
        return "learned from"
    if came.unchanged:
        return "confirmed"
    return "not learned from" if came.note else "compared"


def returned_in_words(came: Returned) -> str:
    """A structure that came back after delivery, and what became of it."""
    if came.note:
        return came.note
    if came.unchanged:
        return f"{came.roi_name} came back as it was sent: {outcome_in_words(came)}."
    change = came.returned_cc - came.sent_cc
    return (
        f"{came.roi_name} came back edited: Dice {came.dice:.3f}, {change:+.1f} cc of "
        f"{came.sent_cc:.1f} cc, {came.added_path_length_mm:.0f} mm of contour drawn anew; "
        f"{outcome_in_words(came)}."
    )


def structure_in_words(roi_name: str) -> str:
    """A structure within a sentence: a plain word small, a code like Lung_L or PTV as it is."""
    return roi_name.lower() if roi_name.isalpha() and roi_name.istitle() else roi_name


def duration_in_words(seconds: float) -> str:
    """A time that work took: "4 min 10 s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


ARM_WORDS = {ASSISTED: "with prediction", MANUAL: "from scratch", OBSERVER: "second observer"}


def readable_name(person_name: str) -> str:
    """A DICOM person name (PS3.5 6.2.1.1) for the screen: "Doe^John" becomes "Doe, John"."""
    alphabetic = person_name.split("=", maxsplit=1)[0]
    family, _, given = alphabetic.partition("^")
    given = " ".join(part for part in given.split("^") if part)
    return ", ".join(part for part in (family.strip(), given.strip()) if part)


def readable_date(dicom_date: str) -> str:
    """A DICOM date (YYYYMMDD) as YYYY-MM-DD; anything else as it is."""
    if len(dicom_date) == 8 and dicom_date.isdigit():
        return f"{dicom_date[:4]}-{dicom_date[4:6]}-{dicom_date[6:]}"
    return dicom_date
