"""Approving a structure: from the journal to a correction that everything else builds on."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.errors import EmptyStructureError, JournalConflictError
from core.geometry import Mask
from core.journal import CorrectionLayer, mask_crc32
from core.records import Case, Correction
from core.store import Store


@dataclass(frozen=True, slots=True)
class Approval:
    """What the reviewer's browser says it shows at the moment of approval."""

    who: str
    tab: str
    seq: int
    voxels: int
    crc32: int
    slices_seen: tuple[int, ...]


def base_mask(store: Store, current: Case, roi_name: str) -> tuple[str | None, Mask | None]:
    """(prediction id, mask) that a review of this case starts from; (None, None) without one."""
    prediction_id = store.reviews.base_prediction(current.id, roi_name)
    if prediction_id is None:
        return None, None
    made = store.cases.prediction(prediction_id)
    mask = store.files.read_mask(current.id, f"prediction-{prediction_id}", digest=made.mask_digest)
    return prediction_id, mask


def replayed(
    store: Store, current: Case, roi_name: str, *, up_to: int | None = None
) -> CorrectionLayer:
    """The correction layer that the journal of a case amounts to."""
    if current.geometry is None:
        raise JournalConflictError("The case has no volume yet; there is nothing to correct.")
    entries = store.reviews.entries(current.id, roi_name, up_to=up_to)
    return CorrectionLayer(current.geometry.shape).apply_all(entries)


def approve(  # noqa: PLR0913 (one argument a fact of the approval)
    store: Store,
    current: Case,
    roi_name: str,
    approval: Approval,
    *,
    destinations: Sequence[str],
    now: datetime,
    hold_s: float = 0.0,
) -> Correction:
    """Approve what the journal amounts to, if it is voxel for voxel what the browser showed.

    Nothing leaves the node before `hold_s` have passed. Files first, then one transaction. Raises
    `JournalConflictError` when both sides differ, `EmptyStructureError` when nothing is contoured;
    then nothing has changed.
    """
    prediction_id, base = base_mask(store, current, roi_name)
    layer = replayed(store, current, roi_name, up_to=approval.seq)
    mask = layer.corrected(base)
    if not mask.any():
        raise EmptyStructureError(f"{roi_name} has no voxels. Contour it, then approve.")
    if (int(mask.sum()), mask_crc32(mask)) != (approval.voxels, approval.crc32):
        raise JournalConflictError(
            "The page and the node do not hold the same contour; nothing was approved. Reload "
            "the page and look again."
        )
    correction_id = uuid.uuid4().hex
    digest = store.files.write_mask(current.id, f"correction-{correction_id}", mask)
    store.files.write_mask(current.id, f"painted-{correction_id}", layer.painted())
    made = Correction(
        id=correction_id,
        case_id=current.id,
        assembly=current.assembly or "",
        roi_name=roi_name,
        prediction_id=prediction_id,
        approved_by=approval.who,
        approved_at=now,
        mask_digest=digest,
        slices_seen=approval.slices_seen,
        journal_seq=approval.seq,
    )
    return store.reviews.approve(
        made, tab=approval.tab, destinations=destinations, now=now, hold_s=hold_s
    )
