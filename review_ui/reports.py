"""Figures of all cases as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from functools import lru_cache
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from core.case_files import CaseFiles
from core.worklist_store import CaseSummary
from dose.difference import dice
from review_ui.context import Desk, desk
from review_ui.facts import mean_difference_gy

blueprint = APIBlueprint("reports", __name__, url_prefix="/report")

COLUMNS = (
    "case_id",
    "patient_id",
    "roi",
    "model_version",
    "volume_predicted_cc",
    "volume_corrected_cc",
    "mean_predicted_gy",
    "mean_corrected_gy",
    "mean_difference_gy",
    "coverage",
    "dose",
    "dice",
    "approved_by",
    "approved_at",
)


@blueprint.get("/dose.csv")
def dose_csv() -> Response:
    """One line a case: what was predicted, what was approved, what that meant for the dose."""
    room = desk()
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    summaries, _ = room.store.worklist.read(room.roi_name, now=room.now())
    for summary in reversed(summaries):
        writer.writerow({k: _cell(v) for k, v in report_row(room, summary).items()})
    response = Response(text.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="dose.csv"'
    return response


def report_row(room: Desk, summary: CaseSummary) -> dict[str, Any]:
    """The figures of one case; None where something is not known."""
    current, shown, approved = summary.case, summary.prediction, summary.correction
    predicted, corrected = summary.predicted, summary.corrected
    agreement = None
    if shown is not None and approved is not None:
        agreement = _dice(room.store.files, current.id, shown.id, approved.id)
    newest = corrected or predicted
    return {
        "case_id": current.id,
        "patient_id": current.patient_id,
        "roi": summary.roi_name,
        "model_version": shown.model_version if shown else None,
        "volume_predicted_cc": predicted.volume_cc if predicted else None,
        "volume_corrected_cc": corrected.volume_cc if corrected else None,
        "mean_predicted_gy": predicted.mean_gy if predicted else None,
        "mean_corrected_gy": corrected.mean_gy if corrected else None,
        "mean_difference_gy": mean_difference_gy(predicted, corrected),
        "coverage": newest.coverage if newest else None,
        "dose": summary.dose_words,
        "dice": agreement,
        "approved_by": approved.approved_by if approved else None,
        "approved_at": approved.approved_at.isoformat() if approved else None,
    }


@lru_cache(maxsize=4096)  # both masks are final, so is their overlap
def _dice(files: CaseFiles, case_id: str, prediction_id: str, correction_id: str) -> float:
    return dice(
        files.read_mask(case_id, f"prediction-{prediction_id}"),
        files.read_mask(case_id, f"correction-{correction_id}"),
    )


def _cell(value: object) -> object:
    """The value as a spreadsheet may read it: text that looks like a formula is made text."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return "" if value is None else value
