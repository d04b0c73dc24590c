"""Structure sets that come back after delivery: told apart, compared, and learned from.

A physician may go on in the TPS with what we sent. What comes back is held against what was sent;
where the rule of the case allows it and nothing speaks against it, it becomes a correction. It is
never sent out again.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from app.reading import structures_of
from app.returned_checks import Brought, defect, doubt
from app.room import Room, key_of
from core.files import mask_digest
from core.geometry import Mask
from core.path_length import added_path_length_mm
from core.rasterise import mask_of_contours
from core.records import RETURNED, Case, Correction, Instance, Returned
from core.returned_store import PAST_APPROVAL
from core.rules import is_under_review, returning_of
from core.structures import Roi, StructureSet
from dicom_node.objects.uids import derived_uid
from dose.difference import dice

log = structlog.get_logger()

SAME_UID, PREDECESSOR, SERIES_AND_ROI = "same_uid", "predecessor", "series_and_roi"


def take_back(room: Room, current: Case, found: Instance) -> bool:
    """Compare each structure of ours that `found` brings back; True where one is learned from.

    Does nothing for a structure that is not past approval, and nothing for structures that are not
    ours: then it is a reference like any other. Twice is the same as once.
    """
    geometry = current.geometry
    delivered = [
        (approved, first_sent)
        for approved, first_sent in room.store.returned.delivered(current.id)
        # One that is opened again is somebody's work; the others of the case stand.
        if current.state in PAST_APPROVAL or not is_under_review(current, approved.roi_name)
    ]
    if not delivered or geometry is None:
        return False
    structure_set = structures_of(room, current, found)
    learned = False
    for approved, first_sent in delivered:
        matched_by = _matched_by(current, found, structure_set, approved, first_sent)
        if matched_by is None or approved.assembly != current.assembly:
            continue
        by_uid = matched_by != SERIES_AND_ROI
        brought = _brought(room, current, found, structure_set, approved, made_from_ours=by_uid)
        mask = brought.drawn.mask
        note, made = _judged(room, current, found, approved, brought)
        recorded = room.store.returned.record(
            Returned(
                case_id=current.id,
                roi_name=approved.roi_name,
                instance_id=found.id,
                matched_by=matched_by,
                compared_with=approved.id,
                dice=brought.dice,
                sent_cc=geometry.volume_cc(brought.sent),
                returned_cc=geometry.volume_cc(mask),
                added_path_length_mm=added_path_length_mm(brought.sent, mask, geometry),
                note=note,
                created_at=room.now(),
            ),
            made,
        )
        learned = learned or recorded.became is not None
        log.info(
            "structure_set.returned",
            case=current.id,
            matched_by=matched_by,
            dice=round(recorded.dice, 4),
            became=recorded.became,
        )
    return learned


def _matched_by(
    current: Case,
    found: Instance,
    structure_set: StructureSet,
    approved: Correction,
    first_sent: datetime | None,
) -> str | None:
    """How the structure set is known to go back to what was approved; None where it does not."""
    ours = derived_uid("correction", approved.id)
    if structure_set.sop_instance_uid == ours:
        return SAME_UID
    if ours in structure_set.predecessor_uids:
        return PREDECESSOR
    on_our_series = structure_set.referenced_series_instance_uid == current.series_instance_uid
    has_our_roi = structure_set.roi_named(approved.roi_name) is not None
    after_delivery = first_sent is not None and first_sent <= found.received_at
    return SERIES_AND_ROI if on_our_series and has_our_roi and after_delivery else None


def _brought(
    room: Room,
    current: Case,
    found: Instance,
    structure_set: StructureSet,
    approved: Correction,
    *,
    made_from_ours: bool,
) -> Brought:
    roi = structure_set.roi_named(approved.roi_name) or Roi(0, approved.roi_name, ())
    ct = room.store.files.read_ct(current.id, approved.assembly)
    drawn = mask_of_contours([c.points_mm for c in roi.contours], ct.geometry)
    sent = _mask_of(room, approved)
    return Brought(
        structure_set=structure_set,
        roi=roi,
        drawn=drawn,
        sent=sent,
        dice=dice(sent, drawn.mask),
        images=frozenset(s.sop_instance_uid for s in ct.slices),
        series_instance_uid=current.series_instance_uid,
        same_patient=found.header.patient_id == current.patient_id,
        made_from_ours=made_from_ours,
        approved_at=approved.approved_at.astimezone(),
    )


def _judged(
    room: Room, current: Case, found: Instance, approved: Correction, brought: Brought
) -> tuple[str, Correction | None]:
    """What is told of the structure, and the correction it becomes."""
    newest = room.store.returned.newest_correction(current.id, approved.roi_name)
    if mask_digest(brought.drawn.mask) == newest.mask_digest:
        return "", None  # nothing that is not known: no noise
    learn = returning_of(room.settings.rules, current) == "learn"
    against = defect(brought) or (doubt(brought) if learn else "")
    if against:
        return f"{approved.roi_name} came back {against}", None
    return "", _correction(room, found, newest, brought.drawn.mask) if learn else None


def _correction(room: Room, found: Instance, newest: Correction, mask: Mask) -> Correction:
    """The correction, its files first: a row promises that they are there."""
    made_id = key_of("returned", str(found.id), newest.roi_name)
    files, case_id = room.store.files, newest.case_id
    # What somebody touched, here or in the TPS, weighs more in learning.
    touched = mask ^ _mask_of(room, newest)
    painted = files.read_mask(case_id, f"painted-{newest.id}") | touched
    files.write_mask(case_id, f"painted-{made_id}", painted)
    return Correction(
        id=made_id,
        case_id=case_id,
        assembly=newest.assembly,
        roi_name=newest.roi_name,
        prediction_id=newest.prediction_id,
        approved_by=found.calling_ae_title,
        approved_at=found.received_at,
        mask_digest=files.write_mask(case_id, f"correction-{made_id}", mask),
        slices_seen=(),
        journal_seq=0,
        origin=RETURNED,
    )


def _mask_of(room: Room, made: Correction) -> Mask:
    return room.store.files.read_mask(
        made.case_id, f"correction-{made.id}", digest=made.mask_digest
    )
