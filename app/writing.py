"""RTSTRUCTs that leave the node: the offered prediction and the approved correction."""

from __future__ import annotations

import tempfile
from pathlib import Path

import structlog

from app.room import Room, software_versions
from core.errors import ConversionMismatchError
from core.files import TEMPORARY_SUFFIX
from core.geometry import Mask
from core.records import Correction, Prediction
from core.volume import CtVolume
from dicom_node.objects.round_trip import verify_structure_set
from dicom_node.objects.rtstruct_writer import ReviewedBy, WrittenRoi, write_structure_set
from dicom_node.objects.uids import derived_uid

log = structlog.get_logger()

UNREVIEWED_LABEL = "AI unreviewed"


def offer(room: Room, made: Prediction, ct: CtVolume, mask: Mask) -> Path:
    """Write the RTSTRUCT of a prediction: UNAPPROVED, and its label says so."""
    content = write_structure_set(
        ct,
        [_roi(room, made.roi_name, mask)],
        sop_instance_uid=derived_uid("prediction", made.id),
        series_instance_uid=derived_uid("prediction series", made.case_id),
        label=UNREVIEWED_LABEL,
        made_at=made.created_at.astimezone(),
        approval=None,
        software_versions=software_versions(made.model_version),
        series_description="Prediction, not reviewed",
    )
    return _place(room, (made.case_id, made.id), content, ct, {made.roi_name: mask})


def write_approved(room: Room, approved: Correction) -> Path:
    """The RTSTRUCT of a correction, checked by two readers each time it is asked for.

    The same correction gives the same bytes; a kept file that was damaged is written anew. Raises
    `ConversionMismatchError` when a reader finds another contour than was approved.
    """
    ct = room.store.files.read_ct(approved.case_id, approved.assembly)
    mask = room.store.files.read_mask(
        approved.case_id, f"correction-{approved.id}", digest=approved.mask_digest
    )
    path = room.store.files.structure_set_path(approved.case_id, approved.id)
    if path.is_file() and _still_reads(room, path, approved, ct, mask):
        return path
    at = approved.approved_at.astimezone()
    version = room.store.flow.version_of(approved)
    before = room.store.flow.predecessor_of(approved)
    which = f", version {version}" if version > 1 else ""
    name = approved.roi_name if _is_one_of_several(room, approved) else "Recontour"
    content = write_structure_set(
        ct,
        [_roi(room, approved.roi_name, mask)],
        sop_instance_uid=derived_uid("correction", approved.id),
        series_instance_uid=derived_uid("correction series", approved.case_id),
        label=label_of(name, version),
        made_at=at,
        approval=ReviewedBy(approved.approved_by, at),
        software_versions=software_versions(model_behind(room, approved)),
        series_description=f"Reviewed and approved{which}",
        predecessor_uid=None if before is None else derived_uid("correction", before),
    )
    return _place(room, (approved.case_id, approved.id), content, ct, {approved.roi_name: mask})


def label_of(name: str, version: int) -> str:
    """The label of a structure set: at most 16 characters, in which the side of a name stays."""
    which = f" v{version}" if version > 1 else ""
    room_left = 16 - len(which)
    if len(name) > room_left:
        name = f"{name[: room_left - 4]}~{name[-3:]}"
    return f"{name}{which}"


def _is_one_of_several(room: Room, approved: Correction) -> bool:
    """Whether structure sets of the case have to be told apart at the TPS."""
    routing = room.store.cases.get(approved.case_id).routing
    return routing is not None and len(routing.structures) > 1


def _still_reads(room: Room, path: Path, approved: Correction, ct: CtVolume, mask: Mask) -> bool:
    """Whether both readers find in a kept RTSTRUCT what was approved."""
    masks = {approved.roi_name: mask}
    try:
        verify_structure_set(path, ct, masks, ct_paths=ct_paths_of(room, ct))
    except ConversionMismatchError as error:
        log.warning("structure_set.damaged", case=approved.case_id, reason=str(error))
        return False
    return True


def model_behind(room: Room, approved: Correction) -> str | None:
    """The model whose prediction was corrected, None where it was drawn from nothing."""
    if approved.prediction_id is None:
        return None
    return room.store.cases.prediction(approved.prediction_id).model_version


def _place(
    room: Room,
    owner: tuple[str, str],
    content: bytes,
    ct: CtVolume,
    masks: dict[str, Mask],
) -> Path:
    """Let two readers read a draft; only what passes gets the name that is offered and sent."""
    ct_paths = ct_paths_of(room, ct)
    # Where the worker sweeps what a crash leaves.
    beside = room.store.files.folder(owner[0])
    with tempfile.TemporaryDirectory(dir=beside, suffix=TEMPORARY_SUFFIX) as folder:
        draft = Path(folder) / "draft.dcm"
        draft.write_bytes(content)
        unasked = verify_structure_set(draft, ct, masks, ct_paths=ct_paths)
    log.info(
        "structure_set.verified",
        case=owner[0],
        source=owner[1],
        second_reader=unasked or "rt-utils agrees",
    )
    return room.store.files.write_structure_set(*owner, content)


def ct_paths_of(room: Room, ct: CtVolume) -> list[Path]:
    """The instances of this very assembly: a slice that came later is not part of the contour."""
    slices = {s.sop_instance_uid for s in ct.slices}
    kept = room.store.instances.of_series(ct.identity.series_instance_uid)
    return [room.path(i.path) for i in kept if i.header.sop_instance_uid in slices]


def _roi(room: Room, roi_name: str, mask: Mask) -> WrittenRoi:
    structure = room.settings.structure_named(roi_name)
    return WrittenRoi(
        name=roi_name,
        mask=mask,
        interpreted_type=structure.interpreted_type,
        colour=structure.colour,
        code=structure.code,
    )
