"""RT Dose to a dose grid in gray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import RTDoseStorage

from core.errors import UnreadableObjectError
from core.geometry import Points
from core.plans import BEAM, MULTI_PLAN, BeamKey, DoseOrigin
from core.tps_dvh import TpsDvhs
from core.volume import Volume
from dicom_node.objects.attributes import (
    items,
    number,
    numbers,
    optional_number,
    read_object,
    required_text,
    text,
)
from dicom_node.objects.dvh_reader import read_dvhs
from dicom_node.objects.orientation import axes_of, canonical_volume
from dicom_node.objects.pixels import image_size, stored_values

_SAME_POSITION_MM = 0.01
# Dose Type (3004,0004) of a grid that says how much dose there is. ERROR is a difference of two.
_AMOUNTS = frozenset({"PHYSICAL", "EFFECTIVE"})
# Dose Summation Type (3004,000A) of a grid that may name more than one plan.
_OF_SEVERAL_PLANS = frozenset({MULTI_PLAN, "PLAN_OVERVIEW"})


@dataclass(frozen=True, slots=True)
class ReadDose:
    """A dose grid: float32 gray on its own geometry, canonical like every volume.

    `origin` says what it is the dose of: a plan, several, one beam of it ...; `dvhs` what the
    planning system says of its structures, None where it says nothing.
    """

    volume: Volume
    origin: DoseOrigin
    dvhs: TpsDvhs | None = None


def read_dose(path: Path) -> ReadDose:
    """The dose grid in `path` with Dose Grid Scaling applied, in Gy (PS3.3 C.8.8.3).

    A single plane is a volume of one slice: it says something about that plane and nothing about
    what lies beside it. Raises `UnreadableObjectError` for doses that are not in gray, for
    differences of doses, and for planes that are not evenly spaced.
    """
    ds = read_object(path)
    _require_gray(ds)
    origin = _origin(ds)
    axes = axes_of(numbers(ds, "ImageOrientationPatient", 6))
    frames = image_size(ds)[0]
    heights = _plane_heights_mm(ds, axes[0], frames=frames)
    values = _gray(ds)
    if heights[-1] < heights[0]:
        values, heights = values[::-1], heights[::-1]
    corner = np.asarray(numbers(ds, "ImagePositionPatient", 3)) + heights[0] * axes[0]
    gap_mm = (heights[-1] - heights[0]) / (frames - 1) if frames > 1 else _thickness_mm(ds)
    volume = canonical_volume(
        values,
        axes,
        corner,
        (gap_mm, *_pixel_spacing_mm(ds)),
        required_text(ds, "FrameOfReferenceUID"),
    )
    return ReadDose(volume, origin, read_dvhs(ds))


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
    kind = required_text(ds, "DoseType")
    if kind not in _AMOUNTS:
        raise UnreadableObjectError(
            f"Dose Type (3004,0004) is {kind}: the object holds a dose difference; expected "
            "PHYSICAL or EFFECTIVE. Export the dose."
        )


def _origin(ds: Dataset) -> DoseOrigin:
    summation_type = required_text(ds, "DoseSummationType")
    plans = items(ds, "ReferencedRTPlanSequence")
    if len(plans) > 1 and summation_type not in _OF_SEVERAL_PLANS:
        raise UnreadableObjectError(
            f"Dose Summation Type (3004,000A) is {summation_type}, and {len(plans)} plans are "
            "named; expected one plan, or MULTI_PLAN. Export the dose of each plan."
        )
    return DoseOrigin(
        summation_type=summation_type,
        dose_type=text(ds, "DoseType"),
        plan_uids=tuple(filter(None, (text(p, "ReferencedSOPInstanceUID") for p in plans))),
        beams=_beams(plans) if summation_type == BEAM else (),
        instance_uids=(required_text(ds, "SOPInstanceUID"),),
        description=text(ds, "SeriesDescription"),
    )


def _beams(plans: Sequence[Dataset]) -> tuple[BeamKey, ...]:
    """Fraction group and beam of every beam the dose was computed for (PS3.3 C.8.8.3)."""
    return tuple(
        (
            int(number(group, "ReferencedFractionGroupNumber")),
            int(number(beam, "ReferencedBeamNumber")),
        )
        for plan in plans
        for group in items(plan, "ReferencedFractionGroupSequence")
        for beam in items(group, "ReferencedBeamSequence")
    )


def _gray(ds: Dataset) -> npt.NDArray[np.float32]:
    scaling = number(ds, "DoseGridScaling")
    if scaling <= 0:
        raise UnreadableObjectError(
            f"Dose Grid Scaling (3004,000E) is {scaling:g}; expected more than 0. Export it again."
        )
    stored = stored_values(ds)
    if stored.min() < 0:
        raise UnreadableObjectError(
            f"The dose goes down to {stored.min() * scaling:.3f} Gy; expected none below 0, as "
            "only a difference of doses has them. Export the dose itself."
        )
    values = np.empty(stored.shape, np.float32)
    for frame, plane in zip(values, stored, strict=True):  # a whole grid in float64 is large
        frame[...] = plane * scaling
    return values


def _pixel_spacing_mm(ds: Dataset) -> tuple[float, float]:
    rows_mm, columns_mm = numbers(ds, "PixelSpacing", 2)
    if min(rows_mm, columns_mm) <= 0:
        raise UnreadableObjectError(
            f"Pixel Spacing (0028,0030) is {rows_mm:g} x {columns_mm:g} mm; expected more than 0. "
            "Export the dose again."
        )
    return rows_mm, columns_mm


def _thickness_mm(ds: Dataset) -> float:
    """Thickness of a single plane; 1 mm where it is unknown, which no figure depends on."""
    thickness_mm = optional_number(ds, "SliceThickness")
    return thickness_mm if thickness_mm is not None and thickness_mm > 0 else 1.0


def _plane_heights_mm(ds: Dataset, normal: Points, *, frames: int) -> Points:
    """Distance of each plane from Image Position (Patient) along `normal` (PS3.3 C.8.8.3.2)."""
    if frames == 1 and not text(ds, "GridFrameOffsetVector"):
        return np.zeros(1)  # required of multi-frame doses only
    offsets = np.asarray(numbers(ds, "GridFrameOffsetVector"))
    if len(offsets) != frames:
        raise UnreadableObjectError(
            f"The dose has {frames} planes and {len(offsets)} offsets (3004,000C); expected as "
            "many offsets as planes. Export the whole dose grid."
        )
    if abs(offsets[0]) > _SAME_POSITION_MM:
        offsets = _from_absolute(ds, offsets, normal)
    if frames == 1:
        return offsets
    gaps = np.diff(offsets)
    step = float(np.median(gaps))
    even = np.linspace(offsets[0], offsets[-1], frames)
    off_mm = max(np.abs(gaps - step).max(), np.abs(offsets - even).max())  # small ones add up
    if step == 0 or off_mm > 0.01 * abs(step) + _SAME_POSITION_MM:
        raise UnreadableObjectError(
            f"Dose planes lie {np.abs(gaps).min():.2f} to {np.abs(gaps).max():.2f} mm apart; "
            "expected one distance. Compute the dose on an even grid."
        )
    return offsets


def _from_absolute(ds: Dataset, offsets: Points, normal: Points) -> Points:
    """Offsets that are patient z coordinates, counted from the first (option b).

    The standard allows them for Image Orientation (1,0,0,0,1,0). They mean the same for any grid
    whose planes follow each other towards the head; feet first, readers differ by the whole grid.
    """
    z_mm = numbers(ds, "ImagePositionPatient", 3)[2]
    if abs(offsets[0] - z_mm) > _SAME_POSITION_MM or abs(normal[2] - 1) > 1e-6:
        raise UnreadableObjectError(
            f"Grid Frame Offset Vector (3004,000C) begins with {offsets[0]:.2f}; expected 0, or in "
            f"an axial grid scanned head first the first plane's z of {z_mm:.2f} mm. Export the "
            "dose with offsets that begin with 0."
        )
    return np.asarray(offsets - offsets[0], np.float64)
