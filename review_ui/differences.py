"""What an approved contour means for the dose, as the page of a case's figures shows it."""

from __future__ import annotations

from dataclasses import dataclass

from core.case_store import PREDICTION
from core.dose_records import Difference
from core.geometry import VolumeGeometry
from core.records import Case, Correction
from dose.contour_change import DoseChange
from review_ui.context import Desk
from review_ui.difference_plots import Histogram, dvh_plot, histograms_of, slices_plot
from review_ui.facts import newest_dose

_NOT_REACHED = "not reached"
_APART = {
    "Dice": ("dice", "{:.3f}"),
    "Surface Dice within 2 mm": ("surface_dice_2mm", "{:.3f}"),
    "Surface Dice within 3 mm": ("surface_dice_3mm", "{:.3f}"),
    "95 % Hausdorff distance": ("hausdorff_95_mm", "{:.1f} mm"),
    "Mean surface distance": ("mean_surface_mm", "{:.2f} mm"),
    "Added path length": ("added_path_length_mm", "{:.0f} mm"),
    "Its volume": ("predicted_cc", "{:.1f} ml"),
    "Added to it": ("added_cc", "{:.1f} ml"),
    "Taken away from it": ("removed_cc", "{:.1f} ml"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A table with a column for each contour that the approved one is held against, and plots.

    `columns` are (kind of contour, in words), `rows` a name and a cell for each column; `plots` are
    svg elements.
    """

    columns: list[tuple[str, str]]
    rows: list[tuple[str, list[str]]]
    plots: list[str]


def differences_of(room: Desk, current: Case, approved: Correction | None) -> Shown | None:
    """The approved contour on the newest dose against all others that were measured, if any."""
    dose_id = newest_dose(room, current.id)
    if approved is None or dose_id is None or current.geometry is None:
        return None
    found = room.store.differences.of(approved.id, dose_id)
    found.sort(key=lambda one: one.against != PREDICTION)
    return _shown(found, _heights_mm(current.geometry)) if found else None


def _heights_mm(geometry: VolumeGeometry) -> list[float]:
    z_mm = [float(mm) for mm in geometry.slice_positions_mm()]
    if abs(geometry.directions[0][2]) == 1.0:  # axial: as the TPS counts slices
        z_mm = [geometry.origin_mm[2] + mm for mm in z_mm]
    return z_mm


def _shown(found: list[Difference], z_mm: list[float]) -> Shown:
    columns = [(one.against, _words(one, found)) for one in found]
    doses = [None if one.dose is None else DoseChange.from_json(one.dose) for one in found]
    cells = [_apart(one) | _of_dose(change) for one, change in zip(found, doses, strict=True)]
    rows = [(name, [of_one[name] for of_one in cells]) for name in cells[0]]
    histograms: list[Histogram] = []
    slices = []
    for one, (kind, words), change in zip(found, columns, doses, strict=True):
        if change is None:
            continue
        other, approved = histograms_of(change, kind, words, _number(one, found))
        # The approved contour once, beside the first other one.
        histograms += [other] if histograms else [other, approved]
        if change.slices_gy:
            slices.append(slices_plot(change, z_mm, words))
    return Shown(columns, rows, [dvh_plot(histograms), *slices] if histograms else [])


def _words(one: Difference, found: list[Difference]) -> str:
    if one.against == PREDICTION:
        return "what was proposed"
    return f"the TPS's own contour {_number(one, found) or ''}".rstrip()


def _number(one: Difference, found: list[Difference]) -> int:
    """Which of several contours of one kind it is, from 1; 0 where it is the only one."""
    alike = [other.against_id for other in found if other.against == one.against]
    return alike.index(one.against_id) + 1 if len(alike) > 1 else 0


def _apart(one: Difference) -> dict[str, str]:
    return {
        name: "not known" if (value := one.contours[key]) is None else form.format(value)
        for name, (key, form) in _APART.items()
    }


def _of_dose(change: DoseChange | None) -> dict[str, str]:
    if change is None:
        names = ("Its mean dose", "Mean dose approved", "Approved less it", "Within the dose grid")
        return dict.fromkeys(names, _NOT_REACHED)
    return {
        "Its mean dose": f"{change.first_mean_gy:.3f} Gy",
        "Mean dose approved": f"{change.second_mean_gy:.3f} Gy",
        "Approved less it": f"{change.second_mean_gy - change.first_mean_gy:+.3f} Gy",
        "Within the dose grid": f"{100 * min(change.first_coverage, change.second_coverage):.1f} %",
    }
