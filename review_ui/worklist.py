"""The worklist: every case, and what it waits for."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import render_template

from review_ui.context import Desk, desk
from review_ui.facts import worklist_row

blueprint = APIBlueprint("worklist", __name__)


@blueprint.get("/")
def page() -> str:
    """The worklist as a page; its script keeps it current."""
    return render_template("worklist.html", worklist=worklist_of(desk()))


@blueprint.get("/api/worklist")
def api() -> dict[str, Any]:
    """The worklist as JSON, newest case first."""
    return worklist_of(desk())


def worklist_of(room: Desk) -> dict[str, Any]:
    """Every case as the worklist shows it, and where the node listens."""
    cases = room.store.cases.all()
    holders = room.store.reviews.holders(now=room.now())
    counts = room.store.instances.counts_by_series([c.series_instance_uid for c in cases])
    dicom = room.settings.dicom
    return {
        "cases": [
            worklist_row(
                room,
                current,
                holder=holders.get(current.id),
                instances=counts.get(current.series_instance_uid, 0),
            )
            for current in cases
        ],
        "listening": {"ae_title": dicom.ae_title, "host": dicom.host, "port": dicom.port},
        "roi": room.roi_name,
    }
