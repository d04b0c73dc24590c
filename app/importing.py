"""`recontour import-labels`: contours made elsewhere become corrections that train or judge.

They are audited, split like any other patient, and never delivered to anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.checking import check_what_is_new
from app.import_checks import FoundContour, contour_to_import
from app.reading import structures_of
from app.room import Room, key_of
from app.tables import Row
from core.case import CaseState
from core.errors import ImportRefusedError, RecontourError
from core.files import mask_digest
from core.instance_store import STRUCTURE_SET
from core.records import IMPORTED, Case, Correction, Instance
from dicom_node.objects.uids import derived_uid

IMPORTED_NOW, KNOWN, WOULD, REFUSED = "imported", "already imported", "would import", "refused"
UNFIT = frozenset({CaseState.RECEIVING, CaseState.FAILED, CaseState.REJECTED})


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What is imported: a structure of ours, under which other names it may stand, by whom.

    With `to_judge` all of it goes into the validation set, and nothing is learned from it.
    """

    roi_name: str
    aliases: tuple[str, ...]
    who: str
    dry_run: bool
    to_judge: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Our name first, then the others."""
        return (self.roi_name, *self.aliases)


def import_cases(
    room: Room, case_ids: Sequence[str], plan: ImportPlan, told: Callable[[int], None]
) -> list[Row]:
    """A row for each case of the store; `told` hears how many are done."""
    rows = []
    for done, case_id in enumerate(case_ids, start=1):
        rows.append(import_case(room, case_id, plan, name=case_id))
        told(done)
    return rows


def cases_with_references(room: Room) -> list[str]:
    """Cases that a structure set of the TPS has joined, oldest first."""
    return [
        c.id
        for c in reversed(room.store.cases.all())
        if room.store.instances.attached(c.id, kind=STRUCTURE_SET)
    ]


def import_case(room: Room, case_id: str, plan: ImportPlan, *, name: str) -> Row:
    """Import from the structure sets that have joined a case; the row says what came of it."""
    try:
        current = room.store.cases.get(case_id)
        found, instance = _newest(room, current, plan)
        return _imported(room, current, plan, (found, instance), name)
    except RecontourError as error:
        return row_of(name, plan.roi_name, REFUSED, why=str(error))


def row_of(
    name: str, roi_name: str, outcome: str, *, why: str = "", cc: float | None = None
) -> Row:
    """One line of the answer."""
    return {"case": name, "found_as": roi_name, "volume_cc": cc, "outcome": outcome, "why": why}


def require_unapproved(room: Room, case_id: str, roi_name: str) -> None:
    """Raise `ImportRefusedError` where a physician has approved the structure here."""
    if any(c.origin != IMPORTED for c in room.store.teaching.corrections(case_id, roi_name)):
        raise ImportRefusedError(
            f"{roi_name} was approved on this case; an import does not replace it."
        )


def require_may_judge(room: Room, patient_id: str, plan: ImportPlan) -> None:
    """Raise `ImportRefusedError` where a patient shall judge whom models have learned from."""
    if plan.to_judge and room.store.teaching.is_learned_from(patient_id):
        raise ImportRefusedError("This patient is learned from already, and so cannot judge.")


def _newest(room: Room, current: Case, plan: ImportPlan) -> tuple[FoundContour, Instance]:
    """The contour that was drawn last, and the structure set it stands in."""
    if current.state in UNFIT or current.geometry is None:
        raise ImportRefusedError(f"The case is {current.state}. {current.reason}".strip())
    require_unapproved(room, current.id, plan.roi_name)
    require_may_judge(room, current.patient_id, plan)
    found, refusals = [], room.store.instances.refusals(current.id)
    for instance in room.store.instances.attached(current.id, kind=STRUCTURE_SET):
        try:
            structure_set = structures_of(room, current, instance)
            uids = {structure_set.sop_instance_uid, *structure_set.predecessor_uids}
            _require_drawn_elsewhere(room, current, uids)
            contour = contour_to_import(
                structure_set, plan.names, current.geometry, current.series_instance_uid
            )
        except RecontourError as error:
            refusals.append(str(error))
        else:
            found.append((contour, instance))
    if not found:
        reasons = refusals or ["No structure set has joined the case; send the RTSTRUCT."]
        raise ImportRefusedError(" ".join(dict.fromkeys(reasons)))
    return max(found, key=lambda pair: (pair[0].drawn_at, pair[1].id))


def _require_drawn_elsewhere(room: Room, current: Case, uids: set[str]) -> None:
    """Refuse what goes back to a proposal of ours: a model must not learn from itself."""
    ours = {derived_uid("prediction", made) for made in room.store.teaching.predictions(current.id)}
    if ours & uids:
        raise ImportRefusedError("The structure set was made from a proposal of this node.")


def _imported(
    room: Room, current: Case, plan: ImportPlan, found: tuple[FoundContour, Instance], name: str
) -> Row:
    contour, instance = found
    digest = mask_digest(contour.mask)
    # The same voxels for the same case: twice is the same as once.
    made_id = key_of(IMPORTED, current.id, current.assembly or "", plan.roi_name, digest)
    known = {c.id for c in room.store.teaching.corrections(current.id, plan.roi_name)}
    outcome = KNOWN if made_id in known else WOULD
    if outcome == WOULD and not plan.dry_run:
        room.store.files.write_mask(current.id, f"correction-{made_id}", contour.mask)
        made = Correction(
            id=made_id,
            case_id=current.id,
            assembly=current.assembly or "",
            roi_name=plan.roi_name,
            prediction_id=None,
            approved_by=plan.who,
            approved_at=room.now(),
            mask_digest=digest,
            slices_seen=(),
            journal_seq=0,
            origin=IMPORTED,
        )
        new = room.store.teaching.import_correction(
            made, instance_id=instance.id, to_judge=plan.to_judge
        )
        check_what_is_new(room, plan.roi_name)
        outcome = IMPORTED_NOW if new else KNOWN
    assert current.geometry is not None
    cc = current.geometry.volume_cc(contour.mask)
    return row_of(name, contour.roi_name, outcome, why=_fate(room, current.id, made_id), cc=cc)


def _fate(room: Room, case_id: str, correction_id: str) -> str:
    """The set that an imported contour is in, or why it waits."""
    check = room.store.checks.get(correction_id)
    if check is not None and check.suspicions and check.decision is None:
        return f"waits for a second person: {' '.join(check.suspicions)}"
    split = room.store.cases.get(case_id).split
    return f"for {split}" if split else ""
