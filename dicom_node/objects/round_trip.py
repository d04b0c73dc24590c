"""Two independent readers must find the approved mask in an RTSTRUCT before it leaves the node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rt_utils import RTStructBuilder
from scipy.ndimage import binary_dilation, binary_erosion, generate_binary_structure

from core.errors import ConversionMismatchError, RecontourError
from core.geometry import Mask
from core.rasterise import mask_of_contours
from core.structures import Roi
from core.volume import CtVolume
from dicom_node.objects.attributes import numbers, read_object
from dicom_node.objects.orientation import axes_of, canonical_values
from dicom_node.objects.rtstruct_reader import read_structure_set

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
) -> None:
    """Return when the RTSTRUCT at `path` holds exactly `masks` (by ROI name) on `ct`.

    Our reader must give every mask back voxel for voxel, on the right images. Where rt-utils can
    read the series in `ct_paths` (square images and pixels), it must find the same ROIs on the
    same slices and differ by a rim of one voxel at most, with a Dice of 0.97 and a volume within
    5 % where the structure is large enough to ask this. Raises `ConversionMismatchError`.
    """
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
    for roi in structure_set.rois:
        _require_same_mask(roi, masks[roi.roi_name], ct)
    if _rt_utils_can_read(ct):
        _verify_with_rt_utils(path, ct, masks, ct_paths)


def _require_same_mask(roi: Roi, mask: Mask, ct: CtVolume) -> None:
    read = mask_of_contours([contour.points_mm for contour in roi.contours], ct.geometry)
    differing = int(np.count_nonzero(read.mask != mask))
    _require(
        differing == 0 and read.contours_off_grid == 0 and roi.contours_left_out == 0,
        f"our reader finds {roi.roi_name} with {differing} other voxels than were approved",
    )
    for contour in roi.contours:
        k = round(float(ct.geometry.mm_to_index(contour.points_mm[0])[0]))
        _require(
            contour.referenced_sop_instance_uid == ct.slices[k].sop_instance_uid,
            f"a contour of {roi.roi_name} refers to another image than the slice it lies on",
        )


def _rt_utils_can_read(ct: CtVolume) -> bool:
    _, rows, columns = ct.geometry.shape
    _, row_mm, column_mm = ct.geometry.spacing_mm
    return rows == columns and abs(row_mm - column_mm) < _SQUARE_MM


def _verify_with_rt_utils(
    path: Path, ct: CtVolume, masks: Mapping[str, Mask], ct_paths: Sequence[Path]
) -> None:
    try:
        found = _masks_by_rt_utils(path, ct_paths, [name for name in masks if masks[name].any()])
    except Exception as error:
        # rt-utils raises bare exceptions; whatever they are, the second reader did not agree.
        raise ConversionMismatchError(
            f"The RTSTRUCT was not sent: rt-utils cannot read it ({type(error).__name__}). "
            "Report it with the software version."
        ) from error
    for name, second in found.items():
        _require_agreement(name, masks[name], second)


def _masks_by_rt_utils(
    path: Path, ct_paths: Sequence[Path], names: Sequence[str]
) -> dict[str, Mask]:
    """Canonical masks (slice, row, column) as rt-utils reads them."""
    axes = axes_of(numbers(read_object(ct_paths[0], pixels=False), "ImageOrientationPatient", 6))
    with TemporaryDirectory(prefix="recontour-") as folder:
        # rt-utils takes every image in a folder; the instance store may hold others beside them.
        for number, ct_path in enumerate(ct_paths):
            (Path(folder) / f"{number:05d}.dcm").symlink_to(ct_path.resolve())
        reader = RTStructBuilder.create_from(dicom_series_path=folder, rt_struct_path=str(path))
        # Its index order is (row, column, slice) as scanned, slices along the normal.
        return {
            name: canonical_values(reader.get_roi_mask_by_name(name).transpose(2, 0, 1), axes)
            for name in names
        }


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
