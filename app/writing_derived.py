"""SEG and SR of an approved case, for destinations that ask for them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import structlog

from app import dosing
from app.room import Room, software_versions
from app.writing import ct_paths_of, model_behind
from core.case_store import CORRECTION, PREDICTION, DoseDue
from core.dose_store import WHOLE_DOSE, JoinedDose
from core.errors import ConversionMismatchError, GeometryMismatchError, RecontourError
from core.files import TEMPORARY_SUFFIX
from core.geometry import Mask
from core.plans import EFFECTIVE
from core.records import Correction, DoseFigure, InstanceHeader, Prediction
from core.volume import CtVolume
from dicom_node.objects.seg_reader import read_seg
from dicom_node.objects.seg_writer import WrittenSegment, write_seg
from dicom_node.objects.sr_writer import MeasuredContour, MeasuredDose, write_sr
from dicom_node.objects.uids import derived_uid

log = structlog.get_logger()

Contour = tuple[str, Prediction | Correction]
"""prediction or correction, and its record."""


def write_segs(room: Room, approved: Correction) -> list[Path]:
    """The SEG of a correction, and of the prediction it began from; each written once.

    Raises `ConversionMismatchError` when one does not read back as its mask.
    """
    return [_write_seg(room, approved, contour) for contour in _contours(room, approved)]


def write_report(room: Room, approved: Correction) -> Path:
    """The SR of a correction: volumes, and mean doses on each dose of a whole plan; written once.

    A dose that comes later is not in it.
    """
    path = room.store.files.derived_path(approved.case_id, "SR", approved.id)
    if path.is_file():
        return path
    ct = room.store.files.read_ct(approved.case_id, approved.assembly)
    doses = [d for d in room.store.doses.joined(approved.case_id) if d.kind == WHOLE_DOSE]
    figures = _figures(room, approved, doses)
    measured = [
        _measured(room, ct, contour, doses, figures) for contour in _contours(room, approved)
    ]
    dose_uids = sorted(s.sop_instance_uid for m in measured for d in m.doses for s in d.sources)
    content = write_sr(
        ct,
        approved.roi_name,
        measured,
        # The doses are part of the name: with others it is another report.
        sop_instance_uid=derived_uid("report", approved.id, *dose_uids),
        series_instance_uid=derived_uid("report series", approved.case_id),
        observer=approved.approved_by,
        device_name=room.settings.dicom.ae_title,
        made_at=approved.approved_at.astimezone(),
        software_versions=software_versions(model_behind(room, approved)),
    )
    return room.store.files.write_derived(path, content)


def _contours(room: Room, approved: Correction) -> list[Contour]:
    """Prediction, where the review began from one, and correction."""
    found: list[Contour] = [(CORRECTION, approved)]
    if approved.prediction_id is not None:
        found.insert(0, (PREDICTION, room.store.cases.prediction(approved.prediction_id)))
    return found


def _write_seg(room: Room, approved: Correction, contour: Contour) -> Path:
    source, record = contour
    path = room.store.files.derived_path(approved.case_id, "SEG", record.id)
    if path.is_file():
        return path
    ct = room.store.files.read_ct(approved.case_id, approved.assembly)
    mask = _mask(room, contour)
    model = model_behind(room, approved)
    reviewed = source == CORRECTION
    made_at = record.approved_at if isinstance(record, Correction) else record.created_at
    content = write_seg(
        ct,
        [WrittenSegment(approved.roi_name, mask, model or software_versions(None)[0])],
        ct_paths=ct_paths_of(room, ct),
        sop_instance_uid=_seg_uid(contour),
        series_instance_uid=_seg_series_uid(contour),
        description="Reviewed and approved" if reviewed else "Prediction, not reviewed",
        made_at=made_at.astimezone(),
        reviewer=approved.approved_by if reviewed else None,
        software_versions=software_versions(model),
    )
    _require_same_voxels(path.parent, content, ct, approved.roi_name, mask)
    return room.store.files.write_derived(path, content)


def _require_same_voxels(
    beside: Path, content: bytes, ct: CtVolume, roi_name: str, mask: Mask
) -> None:
    with tempfile.TemporaryDirectory(dir=beside, suffix=TEMPORARY_SUFFIX) as folder:
        draft = Path(folder) / "draft.dcm"
        draft.write_bytes(content)
        try:
            same = np.array_equal(read_seg(draft, ct.geometry)[roi_name], mask)
        except GeometryMismatchError:
            same = False
    if not same:
        raise ConversionMismatchError(
            "The written SEG does not read back as the mask it was written from; it was not sent. "
            "Report it with the software version."
        )


def _measured(
    room: Room,
    ct: CtVolume,
    contour: Contour,
    doses: list[JoinedDose],
    figures: dict[tuple[str, int], DoseFigure],
) -> MeasuredContour:
    source, record = contour
    mask = _mask(room, contour)
    mine = {d.instance_id: figures.get((record.id, d.instance_id)) for d in doses}
    predicted_id = record.prediction_id if isinstance(record, Correction) else None
    return MeasuredContour(
        label=f"{record.roi_name}, {'corrected' if source == CORRECTION else 'predicted'}",
        seg_sop_instance_uid=_seg_uid(contour),
        seg_series_instance_uid=_seg_series_uid(contour),
        slices=tuple(ct.slices[k] for k in np.flatnonzero(mask.any(axis=(1, 2)))),
        volume_cc=ct.geometry.volume_cc(mask),
        doses=tuple(
            _measured_dose(room, dose, figure, figures.get((predicted_id or "", dose.instance_id)))
            for dose in doses
            if (figure := mine[dose.instance_id]) is not None
        ),
        algorithm_version=record.model_version if isinstance(record, Prediction) else None,
    )


def _measured_dose(
    room: Room, dose: JoinedDose, figure: DoseFigure, predicted: DoseFigure | None
) -> MeasuredDose:
    difference = None
    if figure.mean_gy is not None and predicted is not None and predicted.mean_gy is not None:
        difference = figure.mean_gy - predicted.mean_gy
    return MeasuredDose(
        sources=_sources(room, dose),
        mean_gy=figure.mean_gy,
        coverage=figure.coverage,
        difference_gy=difference,
        effective=dose.origin is not None and dose.origin.dose_type == EFFECTIVE,
    )


def _sources(room: Room, dose: JoinedDose) -> tuple[InstanceHeader, ...]:
    """The RT Dose instances of a dose; several where beams were summed."""
    instances = room.store.instances
    if dose.origin is None:
        return (instances.get(dose.instance_id).header,)
    return tuple(instances.find(uid)[0].header for uid in dose.origin.instance_uids)


def _figures(
    room: Room, approved: Correction, doses: list[JoinedDose]
) -> dict[tuple[str, int], DoseFigure]:
    """Figures by contour and dose; what is not computed yet is computed now."""
    case_id = approved.case_id
    known = {(f.source_id, f.dose_instance_id) for f in room.store.cases.dose_figures(case_id)}
    for source, record in _contours(room, approved):
        for dose in doses:
            if (record.id, dose.instance_id) in known:
                continue
            try:
                due = DoseDue(case_id, dose.instance_id, source, record.id, record.roi_name)
                dosing.measure(room, due)
            except RecontourError as error:
                # The contour must not wait for a dose that cannot be used.
                log.warning("report.without_dose", case=case_id, reason=str(error))
    found = room.store.cases.dose_figures(case_id)
    return {(f.source_id, f.dose_instance_id): f for f in found}


def _mask(room: Room, contour: Contour) -> Mask:
    source, record = contour
    due = DoseDue(record.case_id, 0, source, record.id, record.roi_name)
    return dosing.contour_mask(room, due)


def _seg_uid(contour: Contour) -> str:
    source, record = contour
    return derived_uid("segmentation", source, record.id)


def _seg_series_uid(contour: Contour) -> str:
    source, record = contour
    return derived_uid("segmentation series", source, record.case_id)
