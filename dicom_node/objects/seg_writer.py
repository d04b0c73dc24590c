"""Masks to a binary DICOM Segmentation (PS3.3 A.51), by highdicom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from core.errors import UnreadableObjectError
from core.geometry import Mask
from core.volume import CtVolume
from dicom_node.implementation import MANUFACTURER
from dicom_node.objects.attributes import read_object
from dicom_node.objects.ct_frames import CtFrame, frames_of
from dicom_node.objects.derived import PRIVATE_SCHEME, encoded, person_name, source_image, told
from dicom_node.objects.orientation import axes_of, canonical_order
from dicom_node.objects.uids import derived_uid

_LONG = 64
# SNOMED CT, as PS3.16 CID 7166 lists it; ROI names without regard to case.
_STRUCTURES: dict[str, Code] = {"heart": codes.SCT.Heart}
_MULTI_FRAME = (
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DimensionOrganizationSequence",
    "DimensionIndexSequence",
)


@dataclass(frozen=True, slots=True)
class WrittenSegment:
    """One structure to write; `mask` lies on the geometry of the CT.

    `algorithm_version` is the model behind a prediction, or behind what was corrected.
    """

    name: str
    mask: Mask
    algorithm_version: str


def structure_code(roi_name: str) -> Code:
    """What the structure is; a code of our own for a name that has none here."""
    own = Code(roi_name.upper().replace(" ", "_")[:16], PRIVATE_SCHEME, roi_name)
    return _STRUCTURES.get(roi_name.strip().casefold(), own)


def write_seg(  # noqa: PLR0913 (one argument an attribute)
    ct: CtVolume,
    segments: Sequence[WrittenSegment],
    *,
    ct_paths: Sequence[Path],
    sop_instance_uid: str,
    series_instance_uid: str,
    description: str,
    made_at: datetime,
    reviewer: str | None,
    software_versions: Sequence[str],
) -> bytes:
    """The SEG of `segments` as a part 10 file; equal input gives equal bytes.

    Its frames lie on the images of `ct`, pixel on pixel, and each refers to its own. `ct_paths`
    are the instances of `ct`: they say how the images are turned. Without `reviewer` the segments
    are AUTOMATIC, with one SEMIAUTOMATIC. Raises `ConversionMismatchError` for values that a SEG
    cannot hold.
    """
    images = _images_of(ct, ct_paths)
    label, kind = (
        ("PREDICTION", "AUTOMATIC") if reviewer is None else ("CORRECTION", "SEMIAUTOMATIC")
    )
    texts = [reviewer or "", description, *(segment.name for segment in segments)]
    with told("SEG"):
        ds = hd.seg.Segmentation(
            source_images=_sources(ct, images, texts),
            pixel_array=np.stack([_frames(ct, s.mask, images) for s in segments], axis=-1),
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[
                _described(number, segment, kind, sop_instance_uid)
                for number, segment in enumerate(segments, start=1)
            ],
            series_instance_uid=series_instance_uid,
            series_number=1,
            sop_instance_uid=sop_instance_uid,
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MANUFACTURER,
            software_versions=MANUFACTURER,
            device_serial_number="0",
            content_label=label,
            content_description=description[:_LONG],
            content_creator_name=None if reviewer is None else person_name(reviewer),
            series_description=description[:_LONG],
            transfer_syntax_uid=ExplicitVRLittleEndian,
            # One structure on one machine; a pool of processes would cost more than it gives.
            workers=0,
        )
    ds.add_new("SoftwareVersions", "LO", [version[:_LONG] for version in software_versions])
    _name_dimensions(ds, derived_uid("dimensions", sop_instance_uid))
    return encoded(ds, made_at)


def _images_of(ct: CtVolume, ct_paths: Sequence[Path]) -> list[CtFrame]:
    """The image behind each slice of `ct`."""
    frames = [f for path in ct_paths for f in frames_of(path, read_object(path, pixels=False))]
    known = {frame.reference: frame for frame in frames}
    absent = [reference for reference in ct.slices if reference not in known]
    if absent:
        raise UnreadableObjectError(
            f"{len(absent)} of the {len(ct.slices)} images of this CT are not on disk; expected "
            "all. Send the CT again, or restore the backup."
        )
    return [known[reference] for reference in ct.slices]


def _is_enhanced(ct: CtVolume) -> bool:
    return ct.slices[0].frame_number is not None


def _sources(ct: CtVolume, images: Sequence[CtFrame], texts: Sequence[str]) -> list[Dataset]:
    if _is_enhanced(ct):
        if len({image.path for image in images}) > 1:
            raise UnreadableObjectError(
                "The Enhanced CT came in several instances; expected one, as a segmentation refers "
                "to one. Let this destination have the RTSTRUCT alone."
            )
        source = _source(ct, images[0], texts)
        for keyword in _MULTI_FRAME:
            if keyword in images[0].ds:
                setattr(source, keyword, getattr(images[0].ds, keyword))
        return [source]
    sources = [_source(ct, image, texts) for image in images]
    for source, image in zip(sources, images, strict=True):
        source.ImagePositionPatient = list(image.position_mm)
        source.ImageOrientationPatient = list(image.orientation)
        source.PixelSpacing = list(image.pixel_spacing_mm)
        source.SliceThickness = ct.geometry.spacing_mm[0]
    return sources


def _source(ct: CtVolume, image: CtFrame, texts: Sequence[str]) -> Dataset:
    ds = source_image(ct, *texts)
    ds.SOPClassUID = image.reference.sop_class_uid
    ds.SOPInstanceUID = image.reference.sop_instance_uid
    ds.Rows, ds.Columns = image.size
    return ds


def _frames(ct: CtVolume, mask: Mask, images: Sequence[CtFrame]) -> Mask:
    """`mask` as the images are stored, one frame an image in the order of `_sources`."""
    order, (_, rows_reversed, columns_reversed) = canonical_order(axes_of(images[0].orientation))
    # The CT is axial: only rows and columns may be turned against the canonical ones.
    rows, columns = (slice(None, None, -1 if r else 1) for r in (rows_reversed, columns_reversed))
    stored = mask[:, rows, columns].transpose(np.argsort(order))
    if not _is_enhanced(ct):
        return np.asarray(stored)
    frames = np.zeros((int(images[0].ds.NumberOfFrames), *stored.shape[1:]), np.bool_)
    frames[[(slice_.frame_number or 1) - 1 for slice_ in ct.slices]] = stored
    return frames


def _described(
    number: int, segment: WrittenSegment, kind: str, sop_instance_uid: str
) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.name[:_LONG],
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=structure_code(segment.name),
        algorithm_type=kind,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=MANUFACTURER,
            family=codes.DCM.ArtificialIntelligence,
            version=segment.algorithm_version[:_LONG],
        ),
        tracking_uid=derived_uid("segment", sop_instance_uid, str(number)),
        tracking_id=f"{segment.name} {number}"[:_LONG],
    )


def _name_dimensions(ds: Dataset, uid: str) -> None:
    """Replace the random UID of the dimensions, so that writing twice makes one object."""
    for item in (*ds.DimensionOrganizationSequence, *ds.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid
