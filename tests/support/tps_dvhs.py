"""RT Doses that bring the DVHs of their planning system."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage


def dvh(
    roi_number: int,
    dose_gy: float,
    volume_cc: float,
    *,
    kind: str = "CUMULATIVE",
    stated: tuple[float, float] | None = None,
    bin_gy: float = 0.01,
    scaling: float = 1.0,
) -> Dataset:
    """The DVH of a structure that gets one dose: (mean, maximum) `stated` in a unit of its own."""
    bins = round(dose_gy / bin_gy)
    volumes = [0.0 if kind == "DIFFERENTIAL" else volume_cc] * bins + [volume_cc, 0.0]
    item, roi = Dataset(), Dataset()
    roi.ReferencedROINumber, roi.DVHROIContributionType = roi_number, "INCLUDED"
    item.DVHReferencedROISequence = [roi]
    item.DVHType, item.DoseUnits, item.DoseType = kind, "GY", "PHYSICAL"
    item.DVHDoseScaling, item.DVHVolumeUnits = scaling, "CM3"
    item.DVHNumberOfBins = len(volumes)
    item.DVHData = [
        value for volume in volumes for value in (round(bin_gy / scaling, 6), round(volume, 6))
    ]
    if stated is not None:
        item.DVHMeanDose, item.DVHMaximumDose = stated
    return item


def with_dvhs(dose: Dataset, dvhs: Sequence[Dataset], structure_set_uid: str) -> Dataset:
    """`dose` with these DVHs of that structure set."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = RTStructureSetStorage
    reference.ReferencedSOPInstanceUID = structure_set_uid
    dose.ReferencedStructureSetSequence = [reference]
    dose.DVHSequence = list(dvhs)
    return dose
