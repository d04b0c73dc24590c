"""What a planning system says of its own structures in the DVHs beside a dose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class TpsFigure:
    """Mean dose and volume of one ROI as the TPS's own DVH tells them.

    `bin_gy` is how far off the mean may be that was read off a curve. `volume_cc` is None where the
    DVH tells volumes in percent. `obstacle` says why the DVH cannot be compared; the figures are
    None then.
    """

    roi_number: int
    mean_gy: float | None = None
    volume_cc: float | None = None
    bin_gy: float = 0.0
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class TpsDvhs:
    """The DVHs in one RT Dose, and the structure set whose ROI numbers they name."""

    structure_set_uid: str
    figures: tuple[TpsFigure, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The DVHs that `to_json` wrote."""
        return cls(values["structure_set_uid"], tuple(TpsFigure(**f) for f in values["figures"]))
