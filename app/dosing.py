"""Dose of each contour on each dose that joined its case."""

from __future__ import annotations

from app.doubting import doubt_dose
from app.room import Room
from core.case_files import reference_name
from core.case_store import CORRECTION, PREDICTION, DoseDue
from core.geometry import Mask
from core.records import DoseFigure
from dose.metrics import roi_dose


def measure(room: Room, due: DoseDue) -> None:
    """Compute and record one dose figure."""
    current = room.store.cases.get(due.case_id)
    if current.geometry is None:
        return
    dose = room.store.files.read_dose(due.case_id, due.dose_instance_id)
    mask = contour_mask(room, due)
    figures = roi_dose(dose, mask, current.geometry)
    if due.source == PREDICTION:
        made = room.store.cases.prediction(due.source_id)
        doubt_dose(room, made, mask, current.geometry, due.dose_instance_id)
    room.store.cases.add_dose_figure(
        DoseFigure(
            case_id=due.case_id,
            roi_name=due.roi_name,
            source=due.source,
            source_id=due.source_id,
            dose_instance_id=due.dose_instance_id,
            volume_cc=figures.volume_cc,
            mean_gy=figures.mean_gy,
            minimum_gy=figures.minimum_gy,
            maximum_gy=figures.maximum_gy,
            coverage=figures.coverage,
            created_at=room.now(),
        )
    )


def contour_mask(room: Room, due: DoseDue) -> Mask:
    """The mask that a due figure is about, checked against its recorded digest."""
    files = room.store.files
    if due.source == PREDICTION:
        made = room.store.cases.prediction(due.source_id)
        return files.read_mask(due.case_id, f"prediction-{made.id}", digest=made.mask_digest)
    if due.source == CORRECTION:
        approved = room.store.reviews.correction(due.source_id)
        return files.read_mask(
            due.case_id, f"correction-{approved.id}", digest=approved.mask_digest
        )
    assembly = room.store.cases.get(due.case_id).assembly
    return files.read_mask(due.case_id, reference_name(due.source_id, assembly))
