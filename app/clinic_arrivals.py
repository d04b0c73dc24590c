"""What arrived at the synthetic TPS, held against what was approved."""

from __future__ import annotations

from app.clinic import PageError, Tps
from app.clinic_dicom import SyntheticPatient
from core.geometry import Mask
from core.rasterise import mask_of_contours
from dicom_node.objects.rtstruct_reader import read_structure_set
from dose.difference import dice

LEAST_DICE_BACK = 0.9999


def verify_at_the_tps(
    tps: Tps, approved: list[tuple[SyntheticPatient, Mask]], roi_name: str
) -> None:
    """Each approved contour must be at the TPS once, voxel for voxel."""
    arrived = [read_structure_set(path) for path in tps.received.values()]
    by_frame = {s.frame_of_reference_uid: s for s in arrived}
    for patient, mask in approved:
        geometry = patient.phantom.volume.geometry
        structure_set = by_frame.get(geometry.frame_of_reference_uid)
        roi = None if structure_set is None else structure_set.roi_named(roi_name)
        if roi is None:
            raise PageError("A structure set did not reach the TPS.")
        back = mask_of_contours([c.points_mm for c in roi.contours], geometry).mask
        if dice(back, mask) < LEAST_DICE_BACK:
            raise PageError("A structure set at the TPS is not what was approved.")
