"""What was found of a CT series, told to the people who work with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.geometry import VolumeGeometry
from dicom_node.objects.attributes import number, text
from dicom_node.objects.ct_frames import ENHANCED, CtFrame


def series_findings(
    frames: Sequence[CtFrame],
    geometry: VolumeGeometry,
    *,
    localizers: int,
    padding_share: float,
) -> tuple[str, ...]:
    """One sentence for each: what the series is, and what was done about its oddities.

    `frames` are the slices of the volume, `localizers` counts what was left out of it,
    `padding_share` (0..1) is the part of its voxels outside the field of view.
    """
    slices, rows, columns = geometry.shape
    slice_mm, row_mm, column_mm = geometry.spacing_mm
    position = text(frames[0].ds, "PatientPosition") or "not told"
    mean = "on average " if geometry.slice_offsets_mm is not None else ""
    shape = f"{slices} slices of {rows} x {columns} pixels of {row_mm:.3f} x {column_mm:.3f} mm"
    found = [f"{shape}, {mean}{slice_mm:.2f} mm apart; patient position {position}."]
    if localizers:
        found.append(f"{localizers} localizer image(s) came with the series and were left out.")
    if geometry.slice_offsets_mm is not None:
        gaps = np.diff(geometry.slice_offsets_mm)
        found.append(
            f"Slices are unevenly spaced, {gaps.min():.2f} to {gaps.max():.2f} mm apart: contours "
            "stay on the true slices, the model sees an even resampling."
        )
    if any(frame.reference.sop_class_uid in ENHANCED for frame in frames):
        instances = len({frame.reference.sop_instance_uid for frame in frames})
        found.append(f"Enhanced CT: {slices} frames in {instances} instance(s).")
    rescales = {_rescale(frame) for frame in frames}
    if len(rescales) > 1:
        found.append(
            f"{len(rescales)} different rescale slopes and intercepts; each slice has its own."
        )
    if padding_share > 0:
        found.append(
            f"{100 * padding_share:.1f} % of the voxels are padding outside the field of view; "
            "they say nothing about the patient."
        )
    return tuple(found)


def _rescale(frame: CtFrame) -> tuple[float, float]:
    return number(frame.rescale, "RescaleSlope"), number(frame.rescale, "RescaleIntercept")
