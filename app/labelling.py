"""What a correction says to the network: masks and strokes, by where they come from."""

from __future__ import annotations

from app.room import Room
from core.approval import replayed
from core.errors import EmptyStructureError
from core.records import IMPORTED, REVIEWED, STROKES, Correction
from model.labels import Labels


def labels_of(room: Room, made: Correction) -> Labels:
    """The labels of a correction, on the grid of its CT.

    Raises `EmptyStructureError` where every stroke was taken back.
    """
    if made.origin == STROKES:
        return _strokes(room, made)
    files, case_id = room.store.files, made.case_id
    structure = files.read_mask(case_id, f"correction-{made.id}", digest=made.mask_digest)
    if made.origin == IMPORTED:
        return Labels.imported(structure)
    painted = files.read_mask(case_id, f"painted-{made.id}")
    # Which slices the TPS showed, nobody counted.
    seen = made.slices_seen if made.origin == REVIEWED else None
    return Labels.approved(structure, painted, slices_seen=seen)


def _strokes(room: Room, made: Correction) -> Labels:
    current = room.store.cases.get(made.case_id)
    layer = replayed(room.store, current, made.roi_name, up_to=made.journal_seq)
    if not layer.painted().any():
        raise EmptyStructureError(f"Every stroke on {made.roi_name} was taken back.")
    return Labels.strokes(layer.painted_as("add"), layer.painted_as("remove"))
