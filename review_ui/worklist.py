"""The worklist: cases, and what each waits for."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import render_template, request

from review_ui.context import Desk, desk
from review_ui.facts import worklist_row

blueprint = APIBlueprint("worklist", __name__)

NEWEST_FINISHED = 200
"""So many finished cases are shown; the page asks every two seconds."""


@blueprint.get("/")
def page() -> str:
    """The worklist as a page; its script keeps it current."""
    return render_template("worklist.html", worklist=_asked_for())


@blueprint.get("/api/worklist")
def api() -> dict[str, Any]:
    """The worklist as JSON, urgent, then newest case first; `?all=1` for every finished one."""
    return _asked_for()


def worklist_of(room: Desk, *, newest_finished: int | None) -> dict[str, Any]:
    """Cases as the worklist shows them, how many it leaves out, and where the node listens."""
    now = room.now()
    summaries, older = room.store.worklist.read(
        room.roi_name, now=now, newest_finished=newest_finished
    )
    rois = {summary.roi_name for summary in summaries}
    released = {roi for roi in rois if room.store.learning.released(roi) is not None}
    dicom = room.settings.dicom
    return {
        "cases": [worklist_row(s, has_model=s.roi_name in released, now=now) for s in summaries],
        "older": older,
        "listening": {"ae_title": dicom.ae_title, "host": dicom.host, "port": dicom.port},
        "roi": room.roi_name,
    }


def _asked_for() -> dict[str, Any]:
    wants_all = request.args.get("all") == "1"
    return worklist_of(desk(), newest_finished=None if wants_all else NEWEST_FINISHED)
