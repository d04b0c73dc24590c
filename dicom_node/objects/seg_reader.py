"""A binary DICOM Segmentation to masks, by position and by nothing else.

Independent of the writer and of its library: what leaves the node is read back with it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from core.errors import GeometryMismatchError, UnreadableObjectError
from core.geometry import Mask, Points, VolumeGeometry
from dicom_node.objects.attributes import items, missing, number, numbers, read_object, text
from dicom_node.objects.pixels import image_size

# Positions are written with 16 characters; a pixel that lies farther from a voxel is not on it.
_ON_A_VOXEL = 0.01


def read_seg(path: Path, geometry: VolumeGeometry) -> dict[str, Mask]:
    """The mask of each segment, by its label, on `geometry`.

    Raises `UnreadableObjectError` for another kind of object and `GeometryMismatchError` where a
    segment's pixels are not voxels of `geometry` (PS3.3 C.7.6.2.1.1, C.8.20).
    """
    ds = read_object(path)
    if text(ds, "SOPClassUID") != SegmentationStorage or text(ds, "SegmentationType") != "BINARY":
        raise UnreadableObjectError(
            f"The object is of SOP Class {text(ds, 'SOPClassUID') or 'unknown'}; expected a binary "
            f"Segmentation ({SegmentationStorage}). Write it again."
        )
    if text(ds, "FrameOfReferenceUID") != geometry.frame_of_reference_uid:
        raise GeometryMismatchError(
            "The segmentation lies in another Frame of Reference than the CT. Write it again."
        )
    labels = {
        int(number(s, "SegmentNumber")): text(s, "SegmentLabel")
        for s in items(ds, "SegmentSequence")
    }
    masks = {label: np.zeros(geometry.shape, np.bool_) for label in labels.values()}
    (shared,) = items(ds, "SharedFunctionalGroupsSequence")
    own_groups = items(ds, "PerFrameFunctionalGroupsSequence")
    for own, pixels in zip(own_groups, _bits(ds), strict=True):
        groups = (own, shared)
        segment = int(
            number(_macro(groups, "SegmentIdentificationSequence"), "ReferencedSegmentNumber")
        )
        indices = _voxels_of(_positions_mm(groups, pixels), geometry)
        masks[labels[segment]][tuple(indices.T)] = True
    return masks


def _bits(ds: Dataset) -> npt.NDArray[np.bool_]:
    """Pixels (frame, row, column): one bit each, the first in the lowest (PS3.5 8.2)."""
    shape = image_size(ds)
    bits = np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")
    return np.asarray(bits[: int(np.prod(shape))].reshape(shape), np.bool_)


def _positions_mm(groups: tuple[Dataset, Dataset], pixels: Mask) -> Points:
    """Where the pixels that are set lie, (n, 3) LPS mm (PS3.3 C.7.6.2.1.1)."""
    first = numbers(_macro(groups, "PlanePositionSequence"), "ImagePositionPatient", 3)
    turned = numbers(_macro(groups, "PlaneOrientationSequence"), "ImageOrientationPatient", 6)
    rows_mm, columns_mm = numbers(_macro(groups, "PixelMeasuresSequence"), "PixelSpacing", 2)
    row, column = np.nonzero(pixels)
    along_row = np.outer(column * columns_mm, turned[:3])
    along_column = np.outer(row * rows_mm, turned[3:])
    return np.asarray(first) + along_row + along_column


def _voxels_of(positions_mm: Points, geometry: VolumeGeometry) -> npt.NDArray[np.intp]:
    indices = geometry.mm_to_index(positions_mm)
    nearest = np.rint(indices).astype(np.intp)
    beside = np.abs(indices - nearest) > _ON_A_VOXEL
    outside = (nearest < 0) | (nearest >= geometry.shape)
    if beside.any() or outside.any():
        raise GeometryMismatchError(
            "Pixels of the segmentation do not lie on voxels of the CT. Write it again from the "
            "contour."
        )
    return nearest


def _macro(groups: tuple[Dataset, Dataset], keyword: str) -> Dataset:
    for group in groups:
        found = items(group, keyword)
        if found:
            return found[0]
    raise missing(groups[0], keyword)
