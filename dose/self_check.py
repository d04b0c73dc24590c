"""Our dose figures beside those of the planning system, for the same contours."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from core.geometry import VolumeGeometry
from core.structures import Roi
from core.tps_dvh import TpsFigure
from core.volume import Volume
from dose.metrics import figures_of
from dose.solid import Ends, sample_contours


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far our figures may lie from the TPS's: a share of its figure, or so much if more.

    Of a mean that was read off a curve a bin width is allowed besides, of a volume half a cubic
    centimetre in any case.
    """

    mean_percent: float
    mean_gy: float
    volume_percent: float

    @property
    def key(self) -> str:
        """Names the tolerance: figures that were judged by another one are judged again."""
        return f"{self.mean_percent:g}%/{self.mean_gy:g}Gy/{self.volume_percent:g}%"


SMALLEST_CC = 0.5
_ENDS: tuple[Ends, Ends] = ("whole", "half")
_NOT_ALL = "Not all of its contours can be painted on this CT."


@dataclass(frozen=True, slots=True)
class Beside:
    """One ROI: the TPS's figures and ours. `obstacle` says why they are not compared.

    `mean_differs` and `volume_differs` say that a figure is beyond the tolerance.
    """

    roi_name: str
    tps_mean_gy: float | None = None
    mean_gy: float | None = None
    tps_volume_cc: float | None = None
    volume_cc: float | None = None
    mean_differs: bool = False
    volume_differs: bool = False
    obstacle: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the store."""
        return asdict(self)


def compare_with_tps(
    dose: Volume, geometry: VolumeGeometry, roi: Roi, said: TpsFigure, tolerance: Tolerance
) -> Beside:
    """Figures of the contours of `roi` on `geometry` under `dose`, beside what the TPS said.

    Systems count slabs whole or end at the outermost contours (ADR 0041); of the two the nearer to
    the TPS counts.
    """
    if said.obstacle or said.mean_gy is None:
        return Beside(roi.roi_name, obstacle=said.obstacle)
    if roi.contours_damaged or not roi.contours:
        return Beside(roi.roi_name, obstacle=_NOT_ALL)
    contours = [contour.points_mm for contour in roi.contours]
    found = {ends: sample_contours(dose, contours, geometry, ends=ends) for ends in _ENDS}
    if any(one.contours_off_grid for one in found.values()):
        return Beside(roi.roi_name, obstacle=_NOT_ALL)
    tps_gy = said.mean_gy
    whole, half = (figures_of(found[ends].sampled) for ends in _ENDS)
    if whole.mean_gy is None or half.mean_gy is None or whole.coverage < 1.0:
        return Beside(roi.roi_name, obstacle="It reaches beyond the dose grid.")
    mean_gy = min(whole.mean_gy, half.mean_gy, key=lambda gray: abs(gray - tps_gy))
    wanted_cc = whole.volume_cc if said.volume_cc is None else said.volume_cc
    volume_cc = min(whole.volume_cc, half.volume_cc, key=lambda cc: abs(cc - wanted_cc))
    allowed_gy = max(tolerance.mean_gy, tolerance.mean_percent / 100.0 * tps_gy) + said.bin_gy
    return Beside(
        roi_name=roi.roi_name,
        tps_mean_gy=tps_gy,
        mean_gy=mean_gy,
        tps_volume_cc=said.volume_cc,
        volume_cc=volume_cc,
        mean_differs=abs(mean_gy - tps_gy) > allowed_gy,
        volume_differs=said.volume_cc is not None
        and abs(volume_cc - wanted_cc)
        > max(SMALLEST_CC, tolerance.volume_percent / 100.0 * wanted_cc),
    )
