"""What the reviews of the node show over time, as a page and as the file that leaves it."""

from __future__ import annotations

from apiflask import APIBlueprint, abort
from flask import Response, render_template, request
from flask_security import current_user

from review_ui.cohort.report import Report, as_page, report_of, values_of
from review_ui.context import desk

blueprint = APIBlueprint("cohort", __name__, url_prefix="/cohort", enable_openapi=False)

ABOUT = "Contours that were approved on this node."


@blueprint.get("/")
def page() -> str:
    """Figures of one structure (`roi`; the first configured one where none is named)."""
    names, roi_name = _asked()
    report = _report(roi_name)
    return render_template(
        "cohort.html",
        names=names,
        roi_name=roi_name,
        report=report,
        values=values_of(report),
    )


@blueprint.get("/report.html")
def download() -> Response:
    """The same as one file that needs nothing else and names nobody."""
    _, roi_name = _asked()
    response = Response(as_page(_report(roi_name)), mimetype="text/html")
    response.headers["Content-Disposition"] = 'attachment; filename="report.html"'
    return response


def _report(roi_name: str) -> Report:
    room = desk()
    report = report_of(room.store, roi_name, ABOUT)
    shown = [outlier.case_id for outlier in report.outliers]
    room.store.looks.note(shown, who=current_user.username, now=room.now())
    return report


def _asked() -> tuple[list[str], str]:
    """All structures, and the one that is asked for."""
    names = [structure.name for structure in desk().settings.structures]
    asked = request.args.get("roi", names[0])
    if asked not in names:
        abort(404, "No such structure is configured.")
    return names, asked
