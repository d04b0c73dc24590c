"""What an approved contour means for the dose, as the page of a case's figures shows it."""

from __future__ import annotations

from typing import Any

from core.case_store import PREDICTION
from core.dose_records import Difference
from core.records import Case, Correction
from dose.contour_change import DoseChange
from review_ui.context import Desk
from review_ui.difference_plots import dvh_plot, slices_plot
from review_ui.facts import newest_dose


def differences_of(room: Desk, current: Case, approved: Correction | None) -> list[dict[str, Any]]:
    """Table and plots of each contour that the approved one is held against, on the newest dose."""
    dose_id = newest_dose(room, current.id)
    if approved is None or dose_id is None or current.geometry is None:
        return []
    z_mm = [float(mm) for mm in current.geometry.slice_positions_mm()]
    if abs(current.geometry.directions[0][2]) == 1.0:  # axial: as the TPS counts slices
        z_mm = [current.geometry.origin_mm[2] + mm for mm in z_mm]
    found = room.store.differences.of(approved.id, dose_id)
    return [_shown(one, z_mm) for one in found]


def _shown(found: Difference, z_mm: list[float]) -> dict[str, Any]:
    words = "what was proposed" if found.against == PREDICTION else "the TPS's own contour"
    values = found.contours
    rows = [
        ("Dice", _told(values["dice"], "{:.3f}")),
        ("Surface Dice within 2 mm", _told(values["surface_dice_2mm"], "{:.3f}")),
        ("Surface Dice within 3 mm", _told(values["surface_dice_3mm"], "{:.3f}")),
        ("95 % Hausdorff distance", _told(values["hausdorff_95_mm"], "{:.1f} mm")),
        ("Mean surface distance", _told(values["mean_surface_mm"], "{:.2f} mm")),
        ("Added path length", _told(values["added_path_length_mm"], "{:.0f} mm")),
        ("Volume before", _told(values["predicted_cc"], "{:.1f} ml")),
        ("Added", _told(values["added_cc"], "{:.1f} ml")),
        ("Taken away", _told(values["removed_cc"], "{:.1f} ml")),
    ]
    if found.dose is None:
        return {"against": found.against, "words": words, "rows": rows, "plots": []}
    change = DoseChange.from_json(found.dose)
    rows += [
        ("Mean dose before", f"{change.first_mean_gy:.3f} Gy"),
        ("Mean dose approved", f"{change.second_mean_gy:.3f} Gy"),
        ("Change of the mean dose", f"{change.second_mean_gy - change.first_mean_gy:+.3f} Gy"),
    ]
    covered = min(change.first_coverage, change.second_coverage)
    if covered < 1.0:
        rows.append(("Within the dose grid, at least", f"{100 * covered:.1f} %"))
    plots = [dvh_plot(change, first=words, approved="approved")]
    if change.slices_gy:
        plots.append(slices_plot(change, z_mm))
    return {"against": found.against, "words": words, "rows": rows, "plots": plots}


def _told(value: float | None, form: str) -> str:
    return "not known" if value is None else form.format(value)
