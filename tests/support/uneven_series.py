"""A CT series whose slices are not evenly spaced."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import UID

from tests.support.synthetic_dicom import Grid, ct_series

# Two zones: 5 mm, then 2.5 mm apart.
ZONES = (0.0, 5.0, 10.0, 15.0, 20.0, 22.5, 25.0, 27.5, 30.0)


def uneven_series(
    heights_mm: Sequence[float], *, patient_position: str = "HFS", shape: tuple[int, int] = (12, 9)
) -> list[Dataset]:
    """A series of slices that lie at `heights_mm` along the scan's normal."""
    taken = []
    for k, height_mm in enumerate(heights_mm):
        grid = Grid((1, *shape), (1.0, 2.0, 1.5), patient_position)
        centre = height_mm * grid.steps_mm[0]
        (ds,) = ct_series(
            shape=(1, *shape),
            spacing_mm=(1.0, 2.0, 1.5),
            patient_position=patient_position,
            centre_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        )
        taken.append(named(ds, f"{ds.SOPInstanceUID}.{k}"))
    return taken


def named(ds: Dataset, sop_instance_uid: str) -> Dataset:
    """`ds` under another SOP Instance UID."""
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    return ds
