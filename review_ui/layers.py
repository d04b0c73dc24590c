"""What may be laid over the CT: dose, undecided voxels, the contour of the TPS."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from apiflask import APIBlueprint
from flask import Response, abort

from core.boxed import ENTROPY_OF, Boxed, boxed_mask
from core.case_files import reference_name
from core.geometry import Mask
from core.records import Case
from dose.picture import dose_picture
from review_ui.context import Desk, desk
from review_ui.doses import primary_in_words
from review_ui.facts import newest_dose
from review_ui.memory import shown_prediction
from review_ui.packing import boxed_response, packed_response

blueprint = APIBlueprint("layers", __name__, url_prefix="/api/cases")


@blueprint.get("/<case_id>/layers")
def layers(case_id: str) -> dict[str, Any]:
    """Which layers there are to fetch, and what the dose is the dose of."""
    room = desk()
    current = room.case(case_id)
    return {
        "dose": primary_in_words(room, case_id) if newest_dose(room, case_id) is not None else None,
        "uncertainty": _undecided(room, current) is not None,
        "reference": room.store.instances.reference_of(case_id, room.roi_of(current)) is not None,
    }


@blueprint.get("/<case_id>/dose")
def dose(case_id: str) -> Response:
    """The dose that figures are about, on its own grid; 404 without one.

    Little-endian int32 length of a JSON header, the header padded to whole words, then float32 in
    Gy in flat order, NaN where nothing is known. `x`, `y`, `z` say for each voxel of the CT along
    that axis where it lies in the grid; `rims` how far beyond its ends the grid still covers;
    `exact` whether figures are made from this very grid; `id` which dose it is.
    """
    room = desk()
    current = room.case(case_id)
    dose_id = newest_dose(room, case_id)
    if dose_id is None or current.geometry is None:
        abort(404, "This case has no dose.")
    picture = dose_picture(room.store.files.read_dose(case_id, dose_id), current.geometry)
    slices, rows, columns = (axis.tolist() for axis in picture.indices)
    header = json.dumps(
        {
            "id": dose_id,
            "exact": picture.is_exact,
            "shape": list(reversed(picture.values.shape)),
            "rims": picture.rims[::-1].tolist(),
            "x": columns,
            "y": rows,
            "z": slices,
        }
    ).encode()
    header += b" " * (-len(header) % 4)
    length = np.array(len(header), "<i4").tobytes()
    return packed_response(length + header + picture.values.astype("<f4").tobytes())


@blueprint.get("/<case_id>/uncertainty")
def uncertainty(case_id: str) -> Response:
    """How undecided the prediction is in each voxel of a box: entropy in 1/255 bit; 404 without."""
    room = desk()
    boxed = _undecided(room, room.case(case_id))
    if boxed is None:
        abort(404, "This case has no prediction whose uncertainty was kept.")
    return boxed_response(Boxed(ENTROPY_OF[boxed.values], boxed.start, boxed.shape))


@blueprint.get("/<case_id>/reference")
def reference(case_id: str) -> Response:
    """The contour of the structure in the newest structure set of the TPS: 0 or 1; 404 without."""
    room = desk()
    mask = _reference(room, room.case(case_id))
    if mask is None:
        abort(404, "No structure set of the TPS holds this structure.")
    return boxed_response(boxed_mask(mask))


def _undecided(room: Desk, current: Case) -> Boxed | None:
    shown = shown_prediction(room.store, current, room.roi_of(current))
    return None if shown is None else room.store.files.read_probability(current.id, shown.id)


def _reference(room: Desk, current: Case) -> Mask | None:
    """The mask that the structure set of the TPS amounts to, never an empty one."""
    found = room.store.instances.reference_of(current.id, room.roi_of(current))
    if found is None:
        return None
    name = reference_name(found.id, current.assembly)
    return room.store.files.read_mask(current.id, name)
