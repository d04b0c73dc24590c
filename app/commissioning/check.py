"""One line of the acceptance: what was looked at, what it may be and why, what was found."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

DECIMALS = 4


class State(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 (no word to log in with)
    FAIL = "fail"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Check:
    """`value` and `limit` are in `unit` where a figure decides; `bound` says how they compare.

    `reason` says where the tolerance comes from, `found` what was found in words; of what was not
    run it says why.
    """

    group: str
    name: str
    reason: str
    found: str
    state: State
    value: float | None = None
    bound: str = ""
    limit: float | None = None
    unit: str = ""

    @property
    def tolerance(self) -> str:
        """What the value may be, in words; empty where no figure decides."""
        return "" if self.limit is None else f"{self.bound} {self.limit} {self.unit}".strip()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a figure may be, in `unit`, and why."""

    limit: float
    unit: str
    reason: str
    at_least: bool = False


def measured(group: str, name: str, value: float, allowed: Tolerance, found: str = "") -> Check:
    """A check that a figure decides; what is compared is what is printed.

    What is not a number fails, and its value is None: JSON has no word for it.
    """
    value = round(value, DECIMALS)
    fits = value >= allowed.limit if allowed.at_least else value <= allowed.limit
    return Check(
        group,
        name,
        allowed.reason,
        found if math.isfinite(value) else f"Not a number: {found}",
        State.PASS if fits and math.isfinite(value) else State.FAIL,
        value if math.isfinite(value) else None,
        "at least" if allowed.at_least else "at most",
        allowed.limit,
        allowed.unit,
    )


def told(group: str, name: str, found: str, *, right: bool, reason: str) -> Check:
    """A check that no figure decides."""
    return Check(group, name, reason, found, State.PASS if right else State.FAIL)


def not_run(group: str, name: str, why: str) -> Check:
    """A check that was left out, and why."""
    return Check(group, name, "", why, State.NOT_RUN)
