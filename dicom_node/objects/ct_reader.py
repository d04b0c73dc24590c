"""A CT series as one volume, or one sentence why it is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from core.errors import IrregularSeriesError, UnreadableObjectError
from core.geometry import Points
from core.volume import CtVolume, SeriesIdentity
from dicom_node.objects.attributes import read_object, required_text, text
from dicom_node.objects.ct_findings import series_findings
from dicom_node.objects.ct_frames import CT_IMAGES, CtFrame, frames_of
from dicom_node.objects.hounsfield import hounsfield_values
from dicom_node.objects.localizer import is_declared_localizer, without_scouts
from dicom_node.objects.orientation import axes_of, canonical_order, canonical_volume
from dicom_node.objects.pixels import LARGEST_VOXEL_COUNT, stored_values
from dicom_node.objects.slice_positions import stack_of

_SAME_ORIENTATION = 1e-4
_SAME_SPACING_MM = 1e-4


def read_ct(paths: Sequence[Path]) -> CtVolume:
    """The CT series in `paths` as a canonical volume, int16 HU (slice, row, column).

    Single images, or the frames of Enhanced CT, ordered by their position along the slice normal
    (PS3.3 C.7.6.2.1.1), each rescaled by its own slope and intercept; what lies outside the field
    of view is -1024 HU. Whatever the patient position was, the indices grow superior, posterior
    and left. Slices that are not evenly spaced keep their places. Localizers are left out.

    Raises `IrregularSeriesError` when the instances do not form one stack, and
    `UnreadableObjectError` for an instance that cannot be read.
    """
    instances = [(path, read_object(path, pixels=False)) for path in paths]
    _require_one_series([ds for _, ds in instances])
    frames, localizers = _without_localizers(instances)
    _require_one_grid(frames)
    axes = axes_of(frames[0].orientation)
    _require_axial(axes)
    positions = np.array([frame.position_mm for frame in frames])
    _require_one_passage(frames, positions @ axes[0])
    stack = stack_of(positions, axes[0])
    ordered = [frames[i] for i in stack.order]
    values, padding_share = _hounsfield_stack(ordered)
    volume = canonical_volume(
        values,
        axes,
        ordered[0].position_mm,
        (stack.spacing_mm, *ordered[0].pixel_spacing_mm),
        required_text(ordered[0].ds, "FrameOfReferenceUID"),
        slice_offsets_mm=stack.offsets_mm,
    )
    if canonical_order(axes)[1][0]:
        ordered.reverse()
    return CtVolume(
        volume=volume,
        slices=tuple(frame.reference for frame in ordered),
        identity=_identity(ordered[0].ds),
        findings=series_findings(
            ordered, volume.geometry, localizers=localizers, padding_share=padding_share
        ),
    )


def ct_paths_in(folder: Path) -> list[Path]:
    """The files in `folder` and below that hold a CT Image; everything else is left alone."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and _is_ct(path)]


def _is_ct(path: Path) -> bool:
    try:
        return text(read_object(path, pixels=False), "SOPClassUID") in CT_IMAGES
    except UnreadableObjectError:
        return False


def _require_one_series(instances: Sequence[Dataset]) -> None:
    _require_same(instances, "SeriesInstanceUID", "series", "Send one series at a time.")
    _require_same(instances, "StudyInstanceUID", "studies", "Correct the sender.")
    _require_same(instances, "PatientID", "patients", "Correct the sender.", may_be_empty=True)


def _require_same(
    instances: Iterable[Dataset],
    keyword: str,
    what: str,
    remedy: str,
    *,
    may_be_empty: bool = False,
) -> None:
    read: Callable[[Dataset, str], str] = text if may_be_empty else required_text
    different = len({read(ds, keyword) for ds in instances})
    if different > 1:
        raise IrregularSeriesError(
            f"The slices belong to {different} different {what}; expected one. {remedy}"
        )


def _without_localizers(
    instances: Sequence[tuple[Path, Dataset]],
) -> tuple[list[CtFrame], int]:
    """The frames of the stack, and how many localizers came with them."""
    images = [(path, ds) for path, ds in instances if not is_declared_localizer(ds)]
    frames, scouts = without_scouts([f for path, ds in images for f in frames_of(path, ds)])
    localizers = len(instances) - len(images) + scouts
    if len(frames) < 2:
        beside = f" beside {localizers} localizer(s)" if localizers else ""
        raise IrregularSeriesError(
            f"The series has {len(frames)} slice(s){beside}; expected at least 2, because one "
            "says nothing about their distance. Send the whole series."
        )
    if any(not text(frame.ds, "FrameOfReferenceUID") for frame in frames):
        raise IrregularSeriesError(
            "A slice has no Frame of Reference UID (0020,0052); without it no dose and no "
            "structure can be placed. Export the series again."
        )
    _require_same(
        (frame.ds for frame in frames),
        "FrameOfReferenceUID",
        "frames of reference",
        "Export one acquisition as a series.",
    )
    return frames, localizers


def _require_one_grid(frames: Sequence[CtFrame]) -> None:
    sizes = {frame.size for frame in frames}
    if len(sizes) != 1:
        found = " and ".join(f"{r} x {c}" for r, c in sorted(sizes))
        raise IrregularSeriesError(
            f"The slices have {found} pixels; expected one size. Reconstruct the series with one "
            "matrix, or take other images out of it."
        )
    rows, columns = frames[0].size
    if len(frames) * rows * columns > LARGEST_VOXEL_COUNT:
        raise IrregularSeriesError(
            f"{len(frames)} slices of {rows} x {columns} are more than {LARGEST_VOXEL_COUNT} "
            "voxels. Export a shorter or coarser series."
        )
    spacing = np.array([frame.pixel_spacing_mm for frame in frames])
    if spacing.min() <= 0 or np.ptp(spacing, axis=0).max() > _SAME_SPACING_MM:
        raise IrregularSeriesError(
            f"Pixel Spacing runs from {spacing.min():.4f} to {spacing.max():.4f} mm; expected the "
            "same on every slice. Reconstruct the series with one field of view."
        )
    orientations = np.array([frame.orientation for frame in frames])
    if np.ptp(orientations, axis=0).max() > _SAME_ORIENTATION:
        raise IrregularSeriesError(
            "The slices are not parallel: Image Orientation (Patient) differs between them. Take "
            "the turned or reformatted images out of the series."
        )


def _require_axial(axes: Points) -> None:
    if canonical_order(axes)[0][0] != 0:
        raise IrregularSeriesError(
            "The slices are not axial: they are stacked from left to right or from front to back. "
            "Send the axial series."
        )


def _require_one_passage(frames: Sequence[CtFrame], heights: Points) -> None:
    """Refuse stacks and temporal positions that run through the same tissue."""
    ranges = []
    for passage in {frame.passage for frame in frames}:
        along = heights[[frame.passage == passage for frame in frames]]
        ranges.append((float(along.min()), float(along.max())))
    ranges.sort()
    for (_, end), (start, _) in pairwise(ranges):
        if start <= end:
            raise IrregularSeriesError(
                f"The frames belong to {len(ranges)} stacks or temporal positions that overlap "
                f"from {start:.2f} mm; expected one pass. Export one phase or stack as a series."
            )


def _hounsfield_stack(ordered: Sequence[CtFrame]) -> tuple[npt.NDArray[np.int16], float]:
    """(HU of all slices, share of padding 0..1)."""
    stack = np.empty((len(ordered), *ordered[0].size), np.int16)
    padding = 0
    places: dict[Path, list[int]] = {}
    for k, frame in enumerate(ordered):
        places.setdefault(frame.path, []).append(k)
    for path, slices in places.items():
        ds = read_object(path)
        stored = stored_values(ds)
        for k in slices:
            frame = ordered[k]
            image = stored[(frame.reference.frame_number or 1) - 1]
            stack[k], padded = hounsfield_values(image, frame.rescale, ds)
            padding += int(np.count_nonzero(padded))
    return stack, padding / stack.size


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
