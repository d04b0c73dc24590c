"""The review page, and the structure set of a case as a file."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, abort, render_template, send_file
from flask.typing import ResponseReturnValue

from review_ui.api import role_names, user_name
from review_ui.context import desk
from review_ui.facts import case_facts, patient_of
from review_ui.memory import shown_prediction
from review_ui.roles import granted
from review_ui.words import readable_date, returned_in_words, state_in_words

blueprint = APIBlueprint("review", __name__)


@blueprint.get("/cases/<case_id>")
def page(case_id: str) -> ResponseReturnValue:
    """The page on which a case is corrected; a sentence while it has no volume."""
    room = desk()
    current = room.case(case_id)
    if current.geometry is None:
        counts = room.store.instances.counts_by_series([current.series_instance_uid])
        instances = counts.get(current.series_instance_uid, 0)
        words = state_in_words(current, instances=instances, has_model=True)
        message = current.reason or f"This case cannot be opened yet: {words}."
        return render_template("message.html", title="Not ready", message=message)
    return render_template(
        "review.html",
        case=current,
        facts=case_facts(room, current, user=user_name(), may=granted(role_names())),
        patient=patient_of(current),
        study_date=readable_date(current.study_date),
        roi=room.roi_of(current),
        returned=[returned_in_words(r) for r in room.store.returned.all(case_id=case_id)],
    )


@blueprint.get("/cases/<case_id>/rtstruct")
def rtstruct(case_id: str) -> Response:
    """The approved structure set as a DICOM file; before approval the offered, unreviewed one."""
    room = desk()
    current = room.case(case_id)
    roi_name = room.roi_of(current)
    approved = room.store.reviews.correction_of(case_id, roi_name)
    shown = shown_prediction(room.store, current, roi_name)
    source = approved or shown
    if source is None:
        abort(404, "This case has no structure set yet.")
    path = room.store.files.structure_set_path(case_id, source.id)
    if not path.is_file():
        abort(404, "The structure set is not written yet. Try again in a moment.")
    return send_file(
        path.resolve(), "application/dicom", as_attachment=True, download_name=path.name
    )
