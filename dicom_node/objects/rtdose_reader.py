"""RT Dose to a dose grid in gray."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTDoseStorage

from core.errors import UnreadableObjectError
from core.geometry import Points
from core.volume import Volume
from dicom_node.objects.attributes import (
    items,
    number,
    numbers,
    read_object,
    required_text,
    text,
)
from dicom_node.objects.orientation import axes_of, canonical_volume
from dicom_node.objects.pixels import image_size, stored_values

_SAME_POSITION_MM = 0.01


@dataclass(frozen=True, slots=True)
class ReadDose:
    """A dose grid: float32 gray on its own geometry, canonical like every volume.

    `referenced_plan_uid` is the SOP Instance UID of the plan the dose was computed for.
    """

    volume: Volume
    dose_units: str
    dose_type: str
    dose_summation_type: str
    referenced_plan_uid: str | None
    frame_of_reference_uid: str


def read_dose(path: Path) -> ReadDose:
    """The dose grid in `path` with Dose Grid Scaling applied, in Gy (PS3.3 C.8.8.3).

    Raises `UnreadableObjectError` for doses that are not in gray, for a single plane, and for
    planes that are not evenly spaced.
    """
    ds = read_object(path)
    _require_gray(ds)
    axes = axes_of(numbers(ds, "ImageOrientationPatient", 6))
    heights = _plane_heights_mm(ds, axes[0], frames=image_size(ds)[0])
    scaling = number(ds, "DoseGridScaling")
    if scaling <= 0:
        raise UnreadableObjectError(
            f"Dose Grid Scaling (3004,000E) is {scaling:g}; expected more than 0. Export it again."
        )
    values = (stored_values(ds) * scaling).astype(np.float32)
    if heights[-1] < heights[0]:
        values, heights = values[::-1], heights[::-1]
    corner = np.asarray(numbers(ds, "ImagePositionPatient", 3)) + heights[0] * axes[0]
    spacing_mm = (heights[-1] - heights[0]) / (len(heights) - 1)
    frame_of_reference_uid = required_text(ds, "FrameOfReferenceUID")
    plans = [
        text(plan, "ReferencedSOPInstanceUID") for plan in items(ds, "ReferencedRTPlanSequence")
    ]
    return ReadDose(
        volume=canonical_volume(
            values,
            axes,
            corner,
            (spacing_mm, *numbers(ds, "PixelSpacing", 2)),
            frame_of_reference_uid,
        ),
        dose_units=text(ds, "DoseUnits"),
        dose_type=text(ds, "DoseType"),
        dose_summation_type=text(ds, "DoseSummationType"),
        referenced_plan_uid=next(filter(None, plans), None),
        frame_of_reference_uid=frame_of_reference_uid,
    )


def _require_gray(ds: Dataset) -> None:
    if text(ds, "SOPClassUID") != RTDoseStorage:
        raise UnreadableObjectError(
            f"The object is of SOP Class {text(ds, 'SOPClassUID') or 'unknown'}; expected RT Dose "
            f"({RTDoseStorage}). Export the plan dose."
        )
    units = text(ds, "DoseUnits")
    if units != "GY":
        raise UnreadableObjectError(
            f"Dose Units (3004,0002) is {units or 'empty'}; expected GY, because a relative dose "
            "says nothing in gray. Export the absolute dose."
        )
    if text(ds, "DoseType") == "ERROR":
        raise UnreadableObjectError(
            "Dose Type (3004,0004) is ERROR: the object holds a dose difference. Export the dose."
        )


def _plane_heights_mm(ds: Dataset, normal: Points, *, frames: int) -> Points:
    """Distance of each plane from Image Position (Patient) along `normal` (PS3.3 C.8.8.3.2)."""
    offsets = np.asarray(numbers(ds, "GridFrameOffsetVector"))
    if len(offsets) != frames or frames < 2:
        raise UnreadableObjectError(
            f"The dose has {frames} planes and {len(offsets)} offsets (3004,000C); expected at "
            "least 2 of each, as many offsets as planes. Export the whole dose grid."
        )
    if abs(offsets[0]) > _SAME_POSITION_MM:
        offsets = _from_absolute(ds, offsets, normal)
    gaps = np.diff(offsets)
    step = float(np.median(gaps))
    if step == 0 or np.abs(gaps - step).max() > 0.01 * abs(step) + _SAME_POSITION_MM:
        raise UnreadableObjectError(
            f"Dose planes lie {np.abs(gaps).min():.2f} to {np.abs(gaps).max():.2f} mm apart; "
            "expected one distance. Compute the dose on an even grid."
        )
    return offsets


def _from_absolute(ds: Dataset, offsets: Points, normal: Points) -> Points:
    """Offsets that are patient z coordinates, allowed for axial grids, counted from the first."""
    z_mm = numbers(ds, "ImagePositionPatient", 3)[2]
    if abs(offsets[0] - z_mm) > _SAME_POSITION_MM or abs(abs(normal[2]) - 1) > 1e-6:
        raise UnreadableObjectError(
            f"Grid Frame Offset Vector (3004,000C) begins with {offsets[0]:.2f}; expected 0, or in "
            f"an axial grid the first plane's z of {z_mm:.2f} mm. Export the dose again."
        )
    return np.asarray((offsets - offsets[0]) * np.sign(normal[2]), np.float64)
