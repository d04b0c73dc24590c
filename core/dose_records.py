"""Records about dose figures that are held against others: the TPS's own, another contour's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """Our dose figures beside the TPS's own for the contours of one structure set on one dose.

    `figures` has an entry for each ROI; `words` says what is beyond the tolerance that `basis`
    names, "" where all agrees.
    """

    case_id: str
    assembly: str
    dose_instance_id: int
    structure_instance_id: int
    basis: str
    figures: list[dict[str, Any]]
    words: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """An approved contour against another of its structure, and what that means on one dose.

    `contours` says how far they are apart: names and units as in `core.records.Change`. `dose` is
    what dose.contour_change wrote, None where the dose misses one of both.
    """

    correction_id: str
    against: str
    against_id: str
    dose_instance_id: int
    edition: int
    contours: dict[str, float | None]
    dose: dict[str, Any] | None
    created_at: datetime
