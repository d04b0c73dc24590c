"""Which dose a figure is about, in words: the plan and its prescription."""

from __future__ import annotations

from core.dose_store import WITH_FIGURES
from core.records import Case, DoseFigure
from review_ui.context import Desk
from review_ui.memory import shown_prediction


def primary_in_words(desk: Desk, case_id: str) -> str:
    """The plan and prescription of the dose that the page's figures are about; "" without one.

    What the sender calls the dose stands behind it: a synthetic one may say so there.
    """
    primary = desk.store.doses.primary(case_id)
    if primary is None:
        return ""
    called = primary.origin.description if primary.origin else ""
    return " · ".join(filter(None, (primary.words(desk.store.doses.plans(case_id)), called)))


def others_in_words(desk: Desk, current: Case) -> list[str]:
    """The other doses of a case with their recorded mean, a sentence each, oldest first."""
    store, roi_name = desk.store, desk.roi_of(current)
    plans, primary = store.doses.plans(current.id), store.doses.primary(current.id)
    shown = shown_prediction(store, current, roi_name)
    approved = store.reviews.correction_of(current.id, roi_name)
    # The approved contour's figure where there is one, else the prediction's.
    contours = {"corrected": approved, "predicted": shown}
    figures = {(f.source_id, f.dose_instance_id): f for f in store.cases.dose_figures(current.id)}
    lines = []
    for dose in store.doses.joined(current.id):
        if dose.kind not in WITH_FIGURES or dose == primary:
            continue
        found = [
            f"{_gray(figure)} {name}"
            for name, contour in contours.items()
            if contour and (figure := figures.get((contour.id, dose.instance_id)))
        ]
        lines.append(f"{dose.words(plans)}: {found[0] if found else 'no figure yet'}")
    return lines


def _gray(figure: DoseFigure) -> str:
    if figure.mean_gy is None:
        return "not reached by the grid,"
    part = "" if figure.coverage >= 1 else f" of the {100 * figure.coverage:.1f} % covered,"
    return f"{figure.mean_gy:.2f} Gy{part}"
