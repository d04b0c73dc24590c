"""A CT series as one volume, or one sentence why it is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from core.errors import IrregularSeriesError, UnreadableObjectError
from core.geometry import Points
from core.volume import CtVolume, SeriesIdentity, SliceReference, hounsfield
from dicom_node.objects.attributes import (
    number,
    numbers,
    optional_number,
    read_object,
    required_text,
    text,
)
from dicom_node.objects.orientation import axes_of, canonical_order, canonical_volume
from dicom_node.objects.pixels import LARGEST_VOXEL_COUNT, image_size, stored_values
from dicom_node.objects.slice_positions import even_spacing_mm

# No tissue is thinner than vacuum (-1000 HU) but for noise; below stands what scanners write
# outside their field of view.
LOWEST_HU = -1024
_SAME_ORIENTATION = 1e-4
_SAME_SPACING_MM = 1e-4


@dataclass(frozen=True, slots=True)
class _Slice:
    """What the checks need of one instance, without its pixels."""

    path: Path
    ds: Dataset
    size: tuple[int, int, int]
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing_mm: tuple[float, ...]


def read_ct(paths: Sequence[Path]) -> CtVolume:
    """The CT series in `paths` as a canonical volume, int16 HU (slice, row, column).

    Slices are ordered by their position along the slice normal (PS3.3 C.7.6.2.1.1), each
    rescaled by its own slope and intercept; what lies outside the field of view is -1024 HU.
    Whatever the patient position was, the indices grow superior, posterior and left.

    Raises `IrregularSeriesError` when the instances do not form one even stack, and
    `UnreadableObjectError` for an instance that cannot be read.
    """
    slices = [_read_slice(path) for path in paths]
    _require_one_series(slices)
    _require_one_grid(slices)
    axes = axes_of(slices[0].orientation)
    _require_axial(axes)
    positions = np.array([s.position_mm for s in slices])
    order, spacing_mm = even_spacing_mm(positions, axes[0])
    ordered = [slices[i] for i in order]
    values = _hounsfield_stack(ordered)
    volume = canonical_volume(
        values,
        axes,
        ordered[0].position_mm,
        (spacing_mm, *ordered[0].pixel_spacing_mm),
        required_text(ordered[0].ds, "FrameOfReferenceUID"),
    )
    if canonical_order(axes)[1][0]:
        ordered.reverse()
    return CtVolume(
        volume=volume,
        slices=tuple(
            SliceReference(
                required_text(s.ds, "SOPInstanceUID"), required_text(s.ds, "SOPClassUID")
            )
            for s in ordered
        ),
        identity=_identity(ordered[0].ds),
    )


def ct_paths_in(folder: Path) -> list[Path]:
    """The files in `folder` and below that hold a CT Image; everything else is left alone."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and _is_ct(path)]


def _is_ct(path: Path) -> bool:
    try:
        return text(read_object(path, pixels=False), "SOPClassUID") == CTImageStorage
    except UnreadableObjectError:
        return False


def _read_slice(path: Path) -> _Slice:
    ds = read_object(path, pixels=False)
    sop_class_uid = required_text(ds, "SOPClassUID")
    if sop_class_uid != CTImageStorage:
        raise IrregularSeriesError(
            f"An instance is of SOP Class {sop_class_uid}; expected CT Image Storage "
            f"({CTImageStorage}) alone. Send the axial CT series."
        )
    return _Slice(
        path=path,
        ds=ds,
        size=image_size(ds),
        position_mm=numbers(ds, "ImagePositionPatient", 3),
        orientation=numbers(ds, "ImageOrientationPatient", 6),
        pixel_spacing_mm=numbers(ds, "PixelSpacing", 2),
    )


def _require_one_series(slices: Sequence[_Slice]) -> None:
    if len(slices) < 2:
        raise IrregularSeriesError(
            f"The series has {len(slices)} slice; expected at least 2, because one says nothing "
            "about their distance. Send the whole series."
        )
    _require_same(slices, "SeriesInstanceUID", "series", "Send one series at a time.")
    _require_same(slices, "StudyInstanceUID", "studies", "Correct the sender.")
    _require_same(slices, "PatientID", "patients", "Correct the sender.", may_be_empty=True)
    if any(not text(s.ds, "FrameOfReferenceUID") for s in slices):
        raise IrregularSeriesError(
            "A slice has no Frame of Reference UID (0020,0052); without it no dose and no "
            "structure can be placed. Export the series again."
        )
    _require_same(
        slices, "FrameOfReferenceUID", "frames of reference", "Export one acquisition as a series."
    )


def _require_same(
    slices: Sequence[_Slice], keyword: str, what: str, remedy: str, *, may_be_empty: bool = False
) -> None:
    read: Callable[[Dataset, str], str] = text if may_be_empty else required_text
    different = len({read(s.ds, keyword) for s in slices})
    if different != 1:
        raise IrregularSeriesError(
            f"The slices belong to {different} different {what}; expected one. {remedy}"
        )


def _require_one_grid(slices: Sequence[_Slice]) -> None:
    sizes = {s.size for s in slices}
    if len(sizes) != 1 or next(iter(sizes))[0] != 1:
        found = ", ".join(f"{r} x {c}" for _, r, c in sorted(sizes))
        raise IrregularSeriesError(
            f"The slices have {found} pixels or several frames; expected one size and one frame "
            "each. Take the localiser out of the series, or export it again."
        )
    _, rows, columns = slices[0].size
    if len(slices) * rows * columns > LARGEST_VOXEL_COUNT:
        raise IrregularSeriesError(
            f"{len(slices)} slices of {rows} x {columns} are more than {LARGEST_VOXEL_COUNT} "
            "voxels. Export a shorter or coarser series."
        )
    spacing = np.array([s.pixel_spacing_mm for s in slices])
    if spacing.min() <= 0 or np.ptp(spacing, axis=0).max() > _SAME_SPACING_MM:
        raise IrregularSeriesError(
            f"Pixel Spacing runs from {spacing.min():.4f} to {spacing.max():.4f} mm; expected the "
            "same on every slice. Reconstruct the series with one field of view."
        )
    orientations = np.array([s.orientation for s in slices])
    if np.ptp(orientations, axis=0).max() > _SAME_ORIENTATION:
        raise IrregularSeriesError(
            "The slices are not parallel: Image Orientation (Patient) differs between them. Take "
            "the localiser or the reformatted images out of the series."
        )


def _require_axial(axes: Points) -> None:
    if canonical_order(axes)[0][0] != 0:
        raise IrregularSeriesError(
            "The slices are not axial: they are stacked from left to right or from front to back. "
            "Send the axial series."
        )


def _hounsfield_stack(ordered: Sequence[_Slice]) -> npt.NDArray[np.int16]:
    _, rows, columns = ordered[0].size
    stack = np.empty((len(ordered), rows, columns), np.int16)
    for k, one in enumerate(ordered):
        stack[k] = _hounsfield(read_object(one.path))
    return stack


def _hounsfield(ds: Dataset) -> npt.NDArray[np.int16]:
    stored = stored_values(ds)[0]
    slope, intercept = number(ds, "RescaleSlope"), number(ds, "RescaleIntercept")
    kind = text(ds, "RescaleType")
    if slope == 0 or kind not in {"", "HU", "US"}:
        raise IrregularSeriesError(
            f"A slice has Rescale Slope {slope:g} and Rescale Type {kind!r}; expected Hounsfield "
            "units (HU). Send the CT, not a map computed from it."
        )
    hu = np.maximum(hounsfield(stored * slope + intercept), np.int16(LOWEST_HU))
    padding = _padding(ds, stored)
    if padding is not None:
        hu[padding] = LOWEST_HU
    return hu


def _padding(ds: Dataset, stored: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    """Pixels that stand outside the image (PS3.3 C.7.5.1.1.2), None where nothing is said."""
    value = optional_number(ds, "PixelPaddingValue")
    if value is None:
        return None
    limit = optional_number(ds, "PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    return np.asarray((stored >= low) & (stored <= high), np.bool_)


def _identity(ds: Dataset) -> SeriesIdentity:
    return SeriesIdentity(
        study_instance_uid=required_text(ds, "StudyInstanceUID"),
        series_instance_uid=required_text(ds, "SeriesInstanceUID"),
        patient_id=text(ds, "PatientID"),
        patient_name=text(ds, "PatientName"),
        patient_birth_date=text(ds, "PatientBirthDate"),
        patient_sex=text(ds, "PatientSex"),
        study_id=text(ds, "StudyID"),
        study_date=text(ds, "StudyDate"),
        study_time=text(ds, "StudyTime"),
        accession_number=text(ds, "AccessionNumber"),
        referring_physician_name=text(ds, "ReferringPhysicianName"),
        study_description=text(ds, "StudyDescription"),
        patient_position=text(ds, "PatientPosition"),
    )
