"""Voxels for the browser: the CT as a stream of slices, the prediction as a mask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt
from apiflask import APIBlueprint
from flask import Response, abort, request

from core.boxed import boxed_mask
from core.records import Case
from review_ui.context import Desk, desk
from review_ui.packing import boxed_response

blueprint = APIBlueprint("volumes", __name__, url_prefix="/api/cases")


@blueprint.get("/<case_id>/ct")
def ct(case_id: str) -> Response:
    """The CT, slice by slice from `centre` outwards: int32 index, then int16 HU, little-endian."""
    room = desk()
    return ct_stream(room, room.case(case_id))


def ct_stream(room: Desk, current: Case) -> Response:
    """The CT of a case as it is streamed; `?centre=` says from where."""
    if current.assembly is None:
        abort(404, "This case has no volume yet.")
    values = room.store.files.read_ct(current.id, current.assembly).volume.values
    centre = request.args.get("centre", type=int, default=values.shape[0] // 2)
    response = Response(_slices(values, centre), mimetype="application/octet-stream")
    record = 4 + values.shape[1] * values.shape[2] * 2
    response.headers["Content-Length"] = str(values.shape[0] * record)
    return response


@blueprint.get("/<case_id>/prediction")
def prediction(case_id: str) -> Response:
    """The prediction under review, 0 or 1 within the box around it; 404 without one."""
    room = desk()
    mask = room.memory.recall(room.case(case_id)).prediction
    if mask is None:
        abort(404, "This case has no prediction.")
    return boxed_response(boxed_mask(mask))


def centre_out(count: int, centre: int) -> list[int]:
    """All indices below `count`, those near `centre` first."""
    middle = min(max(centre, 0), count - 1)
    return sorted(range(count), key=lambda index: (abs(index - middle), -index))


def _slices(values: npt.NDArray[Any], centre: int) -> Iterator[bytes]:
    for index in centre_out(values.shape[0], centre):
        yield index.to_bytes(4, "little", signed=True) + values[index].astype("<i2").tobytes()
