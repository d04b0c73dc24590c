"""The images of a CT instance: one of a CT Image, many of an Enhanced CT."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)

from core.errors import IrregularSeriesError, UnreadableObjectError
from core.volume import SliceReference
from dicom_node.objects.attributes import (
    items,
    missing,
    numbers,
    optional_number,
    required_text,
    text,
)
from dicom_node.objects.pixels import image_size

ENHANCED = frozenset({EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage})
CT_IMAGES = frozenset({CTImageStorage}) | ENHANCED


@dataclass(frozen=True, slots=True)
class CtFrame:
    """What the checks need of one image, without its pixels.

    `number` counts the frames of an Enhanced CT from 1, None for a CT Image. `rescale` holds
    Rescale Slope, Intercept and Type. `passage` says which stack and which temporal position the
    frame belongs to, where the object tells.
    """

    path: Path
    ds: Dataset
    reference: SliceReference
    size: tuple[int, int]
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing_mm: tuple[float, ...]
    rescale: Dataset
    passage: tuple[str, float | None] = ("", None)


def frames_of(path: Path, ds: Dataset) -> list[CtFrame]:
    """The images in the instance `ds`, read from `path` without pixels.

    Raises `IrregularSeriesError` for another kind of object and `UnreadableObjectError` where a
    required attribute is missing.
    """
    sop_class_uid = required_text(ds, "SOPClassUID")
    if sop_class_uid in ENHANCED:
        return _enhanced(path, ds)
    if sop_class_uid != CTImageStorage:
        raise IrregularSeriesError(
            f"An instance is of SOP Class {sop_class_uid}; expected CT Image Storage "
            f"({CTImageStorage}) or Enhanced CT alone. Send the axial CT series."
        )
    return [_single(path, ds)]


def _single(path: Path, ds: Dataset) -> CtFrame:
    frames, rows, columns = image_size(ds)
    if frames != 1:
        raise IrregularSeriesError(
            f"A CT Image has {frames} frames; expected one frame each. Export the series again, "
            "as single images or as Enhanced CT."
        )
    return CtFrame(
        path=path,
        ds=ds,
        reference=_reference(ds, None),
        size=(rows, columns),
        position_mm=numbers(ds, "ImagePositionPatient", 3),
        orientation=numbers(ds, "ImageOrientationPatient", 6),
        pixel_spacing_mm=numbers(ds, "PixelSpacing", 2),
        rescale=ds,
    )


def _enhanced(path: Path, ds: Dataset) -> list[CtFrame]:
    """Frames told by their functional groups, each its own or shared (PS3.3 C.7.6.16)."""
    count, rows, columns = image_size(ds)
    own_groups = items(ds, "PerFrameFunctionalGroupsSequence")
    if len(own_groups) != count:
        raise UnreadableObjectError(
            f"The Enhanced CT has {count} frames and {len(own_groups)} items of Per-frame "
            "Functional Groups (5200,9230); expected one for each frame. Export it again."
        )
    frames = []
    for number, own in enumerate(own_groups, start=1):
        groups = [own, *items(ds, "SharedFunctionalGroupsSequence")]
        frames.append(
            CtFrame(
                path=path,
                ds=ds,
                reference=_reference(ds, number),
                size=(rows, columns),
                position_mm=numbers(
                    _macro(groups, "PlanePositionSequence"), "ImagePositionPatient", 3
                ),
                orientation=numbers(
                    _macro(groups, "PlaneOrientationSequence"), "ImageOrientationPatient", 6
                ),
                pixel_spacing_mm=numbers(
                    _macro(groups, "PixelMeasuresSequence"), "PixelSpacing", 2
                ),
                rescale=_macro(groups, "PixelValueTransformationSequence"),
                passage=_passage(groups),
            )
        )
    return frames


def _macro(groups: list[Dataset], keyword: str) -> Dataset:
    for group in groups:
        found = items(group, keyword)
        if found:
            return found[0]
    raise missing(groups[0], keyword)


def _passage(groups: list[Dataset]) -> tuple[str, float | None]:
    for content in items(groups[0], "FrameContentSequence"):
        return text(content, "StackID"), optional_number(content, "TemporalPositionIndex")
    return "", None


def _reference(ds: Dataset, frame_number: int | None) -> SliceReference:
    return SliceReference(
        required_text(ds, "SOPInstanceUID"), required_text(ds, "SOPClassUID"), frame_number
    )
