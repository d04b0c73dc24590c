"""Mean dose while the reviewer paints."""

from __future__ import annotations

from typing import Any

from core.errors import GeometryMismatchError
from core.records import Case
from dose.metrics import RoiDose
from review_ui.context import Desk
from review_ui.doses import others_in_words, primary_in_words
from review_ui.facts import newest_dose
from review_ui.memory import measure, shown_prediction
from review_ui.words import structure_in_words

WHOLE = 0.9995
"""Coverage from here on is shown as whole."""


def live_figures(desk: Desk, current: Case) -> dict[str, Any]:
    """Figures of prediction and correction on the dose that came last, with their limits."""
    roi_name = desk.roi_of(current)
    answer: dict[str, Any] = {
        "roi": roi_name,
        "prediction": None,
        "correction": None,
        "difference_gy": None,
        "expected_error_gy": None,
        "note": "",
        "dose": primary_in_words(desk, current.id),
        "dose_id": newest_dose(desk, current.id),
        "other_doses": others_in_words(desk, current),
    }
    dose_id = answer["dose_id"]
    if dose_id is None:
        return {**answer, "note": "No dose yet. It joins as soon as its RTDOSE comes."}
    try:
        predicted, corrected = measure(desk.memory, current, dose_id, desk.store)
    except GeometryMismatchError as error:
        return {**answer, "note": str(error)}
    return {
        **answer,
        "prediction": _figure(predicted) if predicted else None,
        "expected_error_gy": _expected_error(desk, current, dose_id),
        "correction": _figure(corrected) if corrected.volume_cc else None,
        "difference_gy": _difference(predicted, corrected),
        "note": _note(roi_name, corrected),
    }


def _expected_error(desk: Desk, current: Case, dose_id: int) -> dict[str, float] | None:
    """How far the predicted mean dose is expected to be off: value, low, high (90 %) in Gy."""
    shown = shown_prediction(desk.store, current, desk.roi_of(current))
    if shown is None:
        return None
    on_dose: dict[str, Any] = shown.doubts.get("dose", {}).get(str(dose_id), {})
    expected: dict[str, float] | None = on_dose.get("error_gy")
    return expected


def _figure(figures: RoiDose) -> dict[str, Any]:
    return {
        "volume_cc": figures.volume_cc,
        "mean_gy": figures.mean_gy,
        "coverage": figures.coverage,
    }


def _difference(predicted: RoiDose | None, corrected: RoiDose) -> float | None:
    if predicted is None or predicted.mean_gy is None or corrected.mean_gy is None:
        return None
    return corrected.mean_gy - predicted.mean_gy


def _note(roi_name: str, corrected: RoiDose) -> str:
    if not corrected.volume_cc or corrected.coverage >= WHOLE:
        return ""
    name = structure_in_words(roi_name)
    if corrected.mean_gy is None:
        return f"The dose grid does not reach the {name}."
    percent = f"{100 * corrected.coverage:.1f}"
    return f"The dose grid covers {percent} % of the {name}; the mean is of that part."
