"""Two independent readers must find the approved mask in an RTSTRUCT before it leaves the node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from rt_utils import RTStruct, RTStructBuilder
from rt_utils.image_helper import get_slice_position
from scipy.ndimage import binary_dilation, binary_erosion, generate_binary_structure

from core.errors import ConversionMismatchError, RecontourError
from core.geometry import Mask
from core.rasterise import mask_of_contours
from core.structures import Roi
from core.volume import CtVolume
from dicom_node.objects.attributes import is_of_the_disk, numbers, read_object
from dicom_node.objects.orientation import axes_of, canonical_values
from dicom_node.objects.rtstruct_reader import read_structure_set
from dicom_node.objects.short_names import short_names

LOWEST_DICE = 0.97
LARGEST_VOLUME_DIFFERENCE = 0.05
# rt-utils paints each voxel that a contour touches: of contours on voxel edges about half the
# voxels just outside. Where these are more than this part of the structure, Dice and volume say
# how small it is and not whether it is right; the rim of one voxel is held in every case.
LARGEST_RIM = 0.08
_SQUARE_MM = 1e-4
_NEIGHBOURS_IN_PLANE = generate_binary_structure(2, 2)[None]


def verify_structure_set(
    path: Path, ct: CtVolume, masks: Mapping[str, Mask], *, ct_paths: Sequence[Path]
) -> str | None:
    """Return when the RTSTRUCT at `path` holds exactly `masks` (by ROI name) on `ct`.

    Our reader must give every mask back voxel for voxel, on the right images. Where rt-utils can
    read the series in `ct_paths`, it must find the same ROIs on the same slices and differ by a
    rim of one voxel at most, with a Dice of 0.97 and a volume within 5 % where the structure is
    large enough to ask this. Returns None when both agree, or the reason why rt-utils was not
    asked. Raises `ConversionMismatchError`; an `OSError` says nothing about the RTSTRUCT, whoever
    asked may try again.
    """
    masks = dict(zip(short_names(list(masks)), masks.values(), strict=True))
    try:
        structure_set = read_structure_set(path)
    except RecontourError as error:
        raise ConversionMismatchError(f"Our reader refuses the RTSTRUCT: {error}") from error
    _require(
        structure_set.frame_of_reference_uid == ct.geometry.frame_of_reference_uid
        and structure_set.referenced_series_instance_uid == ct.identity.series_instance_uid,
        "the RTSTRUCT refers to another series than the CT it was drawn on",
    )
    names = [roi.roi_name for roi in structure_set.rois]
    _require(sorted(names) == sorted(masks), f"it holds the ROIs {names}, not {list(masks)}")
    _require(not structure_set.findings, f"our reader says: {' '.join(structure_set.findings)}")
    for roi in structure_set.rois:
        _require_same_mask(roi, masks[roi.roi_name], ct)
    unasked = _why_not_rt_utils(ct)
    if unasked is None:
        _verify_with_rt_utils(path, ct, masks, ct_paths)
    return unasked


def _require_same_mask(roi: Roi, mask: Mask, ct: CtVolume) -> None:
    read = mask_of_contours([contour.points_mm for contour in roi.contours], ct.geometry)
    differing = int(np.count_nonzero(read.mask != mask))
    _require(
        differing == 0 and read.contours_off_grid == 0,
        f"our reader finds {roi.roi_name} with {differing} other voxels than were approved",
    )
    _require(not roi.findings, f"our reader says of {roi.roi_name}: {' '.join(roi.findings)}")
    for contour in roi.contours:
        slice_ = ct.slices[round(float(ct.geometry.mm_to_index(contour.points_mm[0])[0]))]
        _require(
            contour.referenced_sop_instance_uid == slice_.sop_instance_uid
            and contour.referenced_frame_number == slice_.frame_number,
            f"a contour of {roi.roi_name} refers to another image than the slice it lies on",
        )


def _why_not_rt_utils(ct: CtVolume) -> str | None:
    """Why rt-utils 1.2.7 would misread this series, None where it reads it."""
    _, rows, columns = ct.geometry.shape
    _, row_mm, column_mm = ct.geometry.spacing_mm
    if ct.geometry.slice_offsets_mm is not None:
        return "rt-utils takes unevenly spaced slices for even ones"
    if any(slice_.frame_number is not None for slice_ in ct.slices):
        return "rt-utils reads one image from each instance"
    if rows != columns:
        return "rt-utils exchanges rows and columns of an image that is not square"
    if abs(row_mm - column_mm) >= _SQUARE_MM:
        return "rt-utils exchanges row and column spacing"
    return None


def _verify_with_rt_utils(
    path: Path, ct: CtVolume, masks: Mapping[str, Mask], ct_paths: Sequence[Path]
) -> None:
    try:
        found = _masks_by_rt_utils(path, ct, ct_paths, [n for n in masks if masks[n].any()])
    except MemoryError:
        raise
    except Exception as error:
        if is_of_the_disk(error):
            raise
        # rt-utils raises bare exceptions; whatever they are, the second reader did not agree.
        raise ConversionMismatchError(
            f"The RTSTRUCT was not sent: rt-utils cannot read it ({type(error).__name__}). "
            "Report it with the software version."
        ) from error
    for name, second in found.items():
        _require_agreement(name, masks[name], second)


def _masks_by_rt_utils(
    path: Path, ct: CtVolume, ct_paths: Sequence[Path], names: Sequence[str]
) -> dict[str, Mask]:
    """Canonical masks (slice, row, column) as rt-utils reads them."""
    # Its own loader decodes every pixel and takes a file that fails to open for no image.
    images = _images(ct, ct_paths)
    axes = axes_of(numbers(images[0], "ImageOrientationPatient", 6))
    ds = read_object(path)
    RTStructBuilder.validate_rtstruct(ds)
    RTStructBuilder.validate_rtstruct_series_references(ds, images)
    reader = RTStruct(images, ds)
    # Its index order is (row, column, slice) as scanned, slices along the normal.
    return {
        name: canonical_values(reader.get_roi_mask_by_name(name).transpose(2, 0, 1), axes)
        for name in names
    }


def _images(ct: CtVolume, ct_paths: Sequence[Path]) -> list[Dataset]:
    """The images of `ct` among `ct_paths`, without pixels, sorted as rt-utils sorts them."""
    wanted = {slice_.sop_instance_uid for slice_ in ct.slices}
    found = [read_object(ct_path, pixels=False) for ct_path in ct_paths]
    return sorted((ds for ds in found if ds.SOPInstanceUID in wanted), key=get_slice_position)


def _require_agreement(name: str, mask: Mask, second: Mask) -> None:
    _require(
        second.shape == mask.shape
        and np.array_equal(second.any(axis=(1, 2)), mask.any(axis=(1, 2))),
        f"rt-utils finds {name} on other slices than were approved",
    )
    around = binary_dilation(mask, _NEIGHBOURS_IN_PLANE)
    core = binary_erosion(mask, _NEIGHBOURS_IN_PLANE, border_value=1)
    astray = int(np.count_nonzero(second & ~around) + np.count_nonzero(core & ~second))
    _require(astray == 0, f"rt-utils finds {name} more than a voxel off, at {astray} voxels")
    voxels = int(np.count_nonzero(mask))
    if np.count_nonzero(around) - voxels > LARGEST_RIM * voxels:
        return
    ratio = np.count_nonzero(second) / voxels
    dice = 2 * np.count_nonzero(mask & second) / (voxels * (1 + ratio))
    _require(
        bool(dice >= LOWEST_DICE and abs(ratio - 1) <= LARGEST_VOLUME_DIFFERENCE),
        f"rt-utils finds {name} with Dice {dice:.3f} and {ratio:.3f} times the volume",
    )


def _require(right: bool, found: str) -> None:
    if not right:
        raise ConversionMismatchError(
            f"The RTSTRUCT was not sent: {found}. The approved contour is kept on the node; report "
            "this with the software version."
        )
