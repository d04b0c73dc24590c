"""Figures of all cases as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from apiflask import APIBlueprint
from flask import Response
from flask_security import current_user

from core.case_files import CaseFiles
from core.records import Change
from core.worklist_store import CaseSummary
from dose.difference import dice
from review_ui.blind import hidden_from
from review_ui.context import Desk, desk
from review_ui.facts import mean_difference_gy
from review_ui.groups import my_sight
from review_ui.words import outcome_in_words

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

RETURNED_COLUMNS = (
    "case_id",
    "patient_id",
    "roi",
    "matched_by",
    "dice",
    "volume_sent_cc",
    "volume_returned_cc",
    "added_path_length_mm",
    "outcome",
    "note",
    "came_at",
)


@blueprint.get("/dose.csv")
def dose_csv() -> Response:
    """One line a case and structure: what was predicted and approved, what that did to the dose."""
    room = desk()
    changes = room.store.changes.newest()
    hidden = hidden_from(room.store, current_user.username)
    summaries = room.store.worklist.all(room.roi_name, now=room.now(), sight=my_sight())
    summaries = [s for s in summaries if s.case.id not in hidden]
    return table("dose.csv", COLUMNS, [report_row(room, s, changes) for s in reversed(summaries)])


@blueprint.get("/returned.csv")
def returned_csv() -> Response:
    """One line a structure that came back after delivery: what was changed, what became of it."""
    store = desk().store
    hidden = hidden_from(store, current_user.username)
    came_back = [came for came in store.returned.all() if came.case_id not in hidden]
    cases = store.worklist.cases((came.case_id for came in came_back), sight=my_sight())
    rows = [
        {
            "case_id": came.case_id,
            "patient_id": cases[came.case_id].patient_id,
            "roi": came.roi_name,
            "matched_by": came.matched_by,
            "dice": came.dice,
            "volume_sent_cc": came.sent_cc,
            "volume_returned_cc": came.returned_cc,
            "added_path_length_mm": came.added_path_length_mm,
            "outcome": outcome_in_words(came),
            "note": came.note,
            "came_at": came.created_at.isoformat(),
        }
        for came in reversed(came_back)
        if came.case_id in cases
    ]
    return table("returned.csv", RETURNED_COLUMNS, rows)


def report_row(room: Desk, summary: CaseSummary, changes: Mapping[str, Change]) -> dict[str, Any]:
    """The figures of one case, None where something is not known; `changes` by correction."""
    current, shown, approved = summary.case, summary.prediction, summary.correction
    predicted, corrected = summary.predicted, summary.corrected
    agreement = None
    if approved is not None and approved.id in changes:
        agreement = changes[approved.id].dice
    elif shown is not None and approved is not None:
        masks = f"prediction-{shown.id}", f"correction-{approved.id}"
        agreement = _overlap(room.store.files, current.id, *masks)
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


@lru_cache(maxsize=512)  # masks are final; what the worker has measured is not asked for here
def _overlap(files: CaseFiles, case_id: str, one: str, other: str) -> float:
    return dice(files.read_mask(case_id, one), files.read_mask(case_id, other))


def table(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Response:
    """A CSV file to be saved under this name."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({column: _cell(value) for column, value in row.items()})
    response = Response(text.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _cell(value: object) -> object:
    """The value as a spreadsheet may read it: text that looks like a formula is made text."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return "" if value is None else value
