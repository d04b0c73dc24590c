"""A series as one Enhanced CT instance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID, EnhancedCTImageStorage

from tests.support.synthetic_dicom import uid


def enhanced_ct(
    series: Sequence[Dataset], *, stacks: Sequence[str] = (), phases: Sequence[int] = ()
) -> Dataset:
    """The slices of `series`, in that order, as frames (PS3.3 A.38).

    Positions and rescaling are told per frame, orientation and spacing shared. `stacks` and
    `phases` give each frame its Stack ID and Temporal Position Index.
    """
    ds = Dataset()
    ds.update(series[0])
    ds.file_meta = series[0].file_meta
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    ds.SOPInstanceUID = UID(uid("enhanced", str(series[0].SOPInstanceUID), str(len(series))))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.NumberOfFrames = len(series)
    ds.SharedFunctionalGroupsSequence = [_shared(series[0])]
    ds.PerFrameFunctionalGroupsSequence = [
        _frame(
            one,
            number,
            stacks[number - 1] if stacks else "1",
            phases[number - 1] if phases else 1,
        )
        for number, one in enumerate(series, start=1)
    ]
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SliceThickness",
        "RescaleSlope",
        "RescaleIntercept",
        "RescaleType",
    ):
        del ds[keyword]
    ds.PixelData = b"".join(bytes(one.PixelData) for one in series)
    ds["PixelData"].VR = "OW"
    return ds


def frame_heights_mm(ds: Dataset) -> np.ndarray:
    """The third coordinate of each frame of an Enhanced CT."""
    groups = ds.PerFrameFunctionalGroupsSequence
    return np.array([float(g.PlanePositionSequence[0].ImagePositionPatient[2]) for g in groups])


def _shared(one: Dataset) -> Dataset:
    groups, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = one.ImageOrientationPatient
    measures.PixelSpacing, measures.SliceThickness = one.PixelSpacing, one.SliceThickness
    groups.PlaneOrientationSequence, groups.PixelMeasuresSequence = [orientation], [measures]
    return groups


def _frame(one: Dataset, number: int, stack_id: str, phase: int) -> Dataset:
    groups, position, content, values = Dataset(), Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = one.ImagePositionPatient
    content.StackID, content.InStackPositionNumber = stack_id, number
    content.TemporalPositionIndex = phase
    content.FrameReferenceDateTime = "20260105101500"
    values.RescaleSlope, values.RescaleIntercept = one.RescaleSlope, one.RescaleIntercept
    values.RescaleType = "HU"
    groups.PlanePositionSequence, groups.FrameContentSequence = [position], [content]
    groups.PixelValueTransformationSequence = [values]
    return groups
