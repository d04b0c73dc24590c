"""One row a reviewed case: how long it took, what was changed, what that meant for the dose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.room import Room
from core.case_files import reference_name
from core.case_store import CORRECTION, PREDICTION
from core.geometry import Mask, VolumeGeometry
from core.path_length import added_path_length_mm
from core.records import REVIEWED, Case, Correction, DoseFigure
from core.surfaces import surface_distances
from dose.difference import dice

ASSISTED, UNAIDED = "assisted", "unaided"


@dataclass(frozen=True, slots=True)
class Change:
    """What a correction changed of the prediction it began from; both on the CT grid."""

    dice: float
    surface_dice_2mm: float
    surface_dice_3mm: float
    hausdorff_95_mm: float
    mean_surface_mm: float
    added_path_length_mm: float
    predicted_cc: float
    added_cc: float
    removed_cc: float


@dataclass(frozen=True, slots=True)
class DoseChange:
    """Mean doses in Gy on the dose that the case's figures are about, and how much it covers."""

    predicted_gy: float | None
    corrected_gy: float | None
    coverage: float

    @property
    def difference_gy(self) -> float | None:
        """Corrected minus predicted."""
        if self.predicted_gy is None or self.corrected_gy is None:
            return None
        return self.corrected_gy - self.predicted_gy


@dataclass(frozen=True, slots=True)
class Manual:
    """Dice with the contour of the TPS that joined the case (table 1 of the paper)."""

    predicted: float | None
    corrected: float


@dataclass(frozen=True, slots=True)
class CohortRow:
    """A case in its place: `number` counts by first approval, figures are of the last one.

    `reviewer` counts people by their first approval: names do not leave the node. `change` is
    None where no prediction was shown.
    """

    number: int
    case_id: str
    reviewer: int
    arm: str
    approvals: int
    approved_at: datetime
    seconds: float | None
    strokes: int
    slices_seen: int
    corrected_cc: float
    change: Change | None
    dose: DoseChange | None
    manual: Manual | None
    model_version: str | None


def rows_of(room: Room, roi_name: str, told: Callable[[int, int], None]) -> list[CohortRow]:
    """A row for each case whose `roi_name` was approved on the review page, in order.

    `told` hears how many of how many are done. Raises `UnreadableObjectError` where a mask that
    was approved is damaged or gone.
    """
    reviewed = _in_order(room, roi_name)
    reviewers: dict[str, int] = {}
    rows = []
    for number, (current, made) in enumerate(reviewed, start=1):
        reviewer = reviewers.setdefault(made[0].approved_by, len(reviewers) + 1)
        rows.append(_row(room, current, made, number=number, reviewer=reviewer))
        told(number, len(reviewed))
    return rows


def _in_order(room: Room, roi_name: str) -> list[tuple[Case, list[Correction]]]:
    """Cases with their approvals, oldest first in both."""
    found = []
    for current in room.store.cases.all():
        made = [
            one
            for one in room.store.teaching.corrections(current.id, roi_name)
            if one.origin == REVIEWED
        ]
        if made:
            found.append((current, sorted(made, key=lambda one: (one.approved_at, one.id))))
    return sorted(found, key=lambda each: (each[1][0].approved_at, each[1][0].id))


def _row(
    room: Room, current: Case, made: list[Correction], *, number: int, reviewer: int
) -> CohortRow:
    last = made[-1]
    files = room.store.files
    geometry = files.read_ct(current.id, last.assembly).geometry
    corrected = files.read_mask(current.id, f"correction-{last.id}", digest=last.mask_digest)
    predicted = version = None
    if last.prediction_id is not None:
        proposed = room.store.cases.prediction(last.prediction_id)
        version = proposed.model_version
        predicted = files.read_mask(
            current.id, f"prediction-{proposed.id}", digest=proposed.mask_digest
        )
    journal = room.store.reviews.entries(current.id, last.roi_name, up_to=last.journal_seq)
    return CohortRow(
        number=number,
        case_id=current.id,
        reviewer=reviewer,
        arm=UNAIDED if predicted is None else ASSISTED,
        approvals=len(made),
        approved_at=made[0].approved_at,
        seconds=None,
        strokes=sum(entry.kind == "stroke" for entry in journal),
        slices_seen=len(last.slices_seen),
        corrected_cc=geometry.volume_cc(corrected),
        change=None if predicted is None else _change(predicted, corrected, geometry),
        dose=_dose_change(room, current, last),
        manual=_manual(room, current, last, predicted, corrected),
        model_version=version,
    )


def _change(predicted: Mask, corrected: Mask, geometry: VolumeGeometry) -> Change:
    apart = surface_distances(predicted, corrected, geometry.spacing_mm)
    return Change(
        dice=dice(predicted, corrected),
        surface_dice_2mm=apart.surface_dice(2.0),
        surface_dice_3mm=apart.surface_dice(3.0),
        hausdorff_95_mm=apart.hausdorff_95_mm(),
        mean_surface_mm=apart.mean_mm(),
        added_path_length_mm=added_path_length_mm(predicted, corrected, geometry),
        predicted_cc=geometry.volume_cc(predicted),
        added_cc=geometry.volume_cc(corrected & ~predicted),
        removed_cc=geometry.volume_cc(predicted & ~corrected),
    )


def _dose_change(room: Room, current: Case, last: Correction) -> DoseChange | None:
    primary = room.store.doses.primary(current.id)
    if primary is None:
        return None
    by_source = {
        (figure.source, figure.source_id): figure
        for figure in room.store.cases.dose_figures(current.id)
        if figure.dose_instance_id == primary.instance_id and figure.roi_name == last.roi_name
    }
    corrected = by_source.get((CORRECTION, last.id))
    if corrected is None:
        return None
    predicted = by_source.get((PREDICTION, last.prediction_id or ""))
    return DoseChange(_mean(predicted), corrected.mean_gy, corrected.coverage)


def _mean(figure: DoseFigure | None) -> float | None:
    return None if figure is None else figure.mean_gy


def _manual(
    room: Room, current: Case, last: Correction, predicted: Mask | None, corrected: Mask
) -> Manual | None:
    reference = room.store.instances.reference_of(current.id, last.roi_name)
    if reference is None or current.assembly != last.assembly:
        return None
    drawn = room.store.files.read_mask(current.id, reference_name(reference.id, current.assembly))
    return Manual(
        predicted=None if predicted is None else dice(drawn, predicted),
        corrected=dice(drawn, corrected),
    )
