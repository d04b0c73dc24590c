"""One line of the doctor's answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How it stands with what was looked at."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it stands, what was found, and what to do about it."""

    check: str
    state: State
    found: str
    do: str = ""


def ok(check: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(check, State.OK, found)


def warn(check: str, found: str, do: str) -> Finding:
    """It works, and should be looked at."""
    return Finding(check, State.WARN, found, do)


def fail(check: str, found: str, do: str) -> Finding:
    """The node does not work like this, or not safely."""
    return Finding(check, State.FAIL, found, do)
