"""Contours of a mask and references to images, as an RTSTRUCT holds them."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from core.errors import GeometryMismatchError
from core.geometry import Mask, Points
from core.rasterise import contours_of_mask
from core.volume import CtVolume, SliceReference
from dicom_node.objects.implicit_items import element, sequence_element, set_sequence, uid_element

# Beyond it a coordinate has no room for its micrometres in the 16 bytes of a decimal string.
_FARTHEST_MM = 1e9


def set_images(ds: Dataset, ct: CtVolume) -> None:
    """Set Contour Image Sequence (3006,0016) of `ds` to every image of `ct`."""
    set_sequence(ds, "ContourImageSequence", map(_image, ct.slices))


def set_contours(ds: Dataset, mask: Mask, ct: CtVolume) -> None:
    """Set Contour Sequence (3006,0040) of `ds` to the contours of `mask`, on voxel edges.

    Coordinates have at most 16 bytes, and of a micrometre; each contour refers to the image it
    lies on. Without contours there is no sequence: an empty one reads as "contours unknown" in
    some systems. Raises `GeometryMismatchError` for coordinates that fit no decimal string.
    """
    contours = list(_contours(mask, ct))
    if contours:
        set_sequence(ds, "ContourSequence", contours)


def _image(reference: SliceReference) -> bytes:
    item = uid_element("ReferencedSOPClassUID", reference.sop_class_uid)
    item += uid_element("ReferencedSOPInstanceUID", reference.sop_instance_uid)
    if reference.frame_number is not None:
        item += element("ReferencedFrameNumber", reference.frame_number)
    return item


def _contours(mask: Mask, ct: CtVolume) -> Iterator[bytes]:
    number = 0
    decimals = _Decimals()
    for k, contours_mm in contours_of_mask(mask, ct.geometry).items():
        image = sequence_element("ContourImageSequence", [_image(ct.slices[k])])
        for contour_mm in contours_mm:
            number += 1
            yield image + b"".join(
                (
                    element("ContourGeometricType", "CLOSED_PLANAR"),
                    element("NumberOfContourPoints", len(contour_mm)),
                    element("ContourNumber", number),
                    element("ContourData", decimals.joined(contour_mm)),
                )
            )


class _Decimals(dict[float, str]):
    """Coordinates as decimal strings; on voxel edges the same few come again and again."""

    def joined(self, points_mm: Points) -> str:
        """All coordinates of `points_mm` (n, 3) as one value."""
        return "\\".join(map(self.__getitem__, points_mm.ravel().tolist()))

    def __missing__(self, value_mm: float) -> str:
        if not abs(value_mm) < _FARTHEST_MM:
            raise GeometryMismatchError(
                f"A contour lies {value_mm:g} mm from the origin, more than a decimal string of 16 "
                "characters can say. Check Image Position (Patient) of the CT."
            )
        # A micrometre is far below any voxel; adding zero turns -0.0 into 0.0.
        decimal = f"{round(value_mm, 3) + 0.0:.3f}"
        self[value_mm] = decimal
        return decimal
