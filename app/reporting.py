"""The report of a cohort, with every figure that it needs measured first."""

from __future__ import annotations

from pathlib import Path

from app import approved_figures
from app.comparing import EDITION, compare
from app.evaluation_report import KINDS
from app.progress import bars
from app.room import Room
from core.config import Settings
from core.store import open_store
from review_ui.cohort.report import report_of, write_report


def write_cohort(settings: Settings, out: Path, roi_name: str, kind: str) -> int:
    """Write the report to the folder `out`; how many cases are in it."""
    room = Room(settings, open_store(settings))
    with bars() as shown:
        for made_id in shown.track(room.store.changes.due(EDITION), description="cases"):
            compare(room, made_id)
        for made_id, reference_id in shown.track(room.store.cohort.due(), description="volumes"):
            approved_figures.measure(room, made_id, reference_id)
    made = report_of(room.store, roi_name, KINDS[kind])
    write_report(out, made)
    return len(made.rows)
