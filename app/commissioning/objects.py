"""CT, dose and structure set of phantoms that formulas describe, as DICOM files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from app.clinic_contours import DRAWN_AT
from app.clinic_dicom import Place, ct_image, dose_object, phantom_called, save
from core.geometry import Points, VolumeGeometry
from core.volume import CtVolume, Volume
from dicom_node.objects.rtstruct_writer import WrittenRoi, write_structure_set
from dicom_node.objects.uids import derived_uid

# Image Orientation (Patient) of the eight patient positions (PS3.3 C.7.3.1.1.2).
ORIENTATIONS: Mapping[str, tuple[float, ...]] = {
    "HFS": (1, 0, 0, 0, 1, 0),
    "HFP": (-1, 0, 0, 0, -1, 0),
    "FFS": (-1, 0, 0, 0, 1, 0),
    "FFP": (1, 0, 0, 0, -1, 0),
    "HFDR": (0, 1, 0, -1, 0, 0),
    "HFDL": (0, -1, 0, 1, 0, 0),
    "FFDR": (0, -1, 0, -1, 0, 0),
    "FFDL": (0, 1, 0, 1, 0, 0),
}
FIRST_SEED = 970_000
_COLOUR = (0, 255, 0)


@dataclass(frozen=True, slots=True)
class Scan:
    """A CT of water about the origin: `heights_mm` along the normal, square images of `size`."""

    number: int
    heights_mm: tuple[float, ...]
    size: int
    pixel_mm: float
    patient_position: str = "HFS"

    @property
    def seed(self) -> int:
        """Names the patient: PHANTOM- and this number."""
        return FIRST_SEED + self.number


def write_scan(scan: Scan, folder: Path) -> list[Path]:
    """The files of `scan` in a new folder."""
    folder.mkdir(parents=True)
    turn = np.asarray(ORIENTATIONS[scan.patient_position], np.float64)
    along_row, along_column = turn[:3], turn[3:]
    normal = np.cross(along_row, along_column)
    corner = -(scan.size - 1) / 2.0 * scan.pixel_mm * (along_row + along_column)
    water = np.zeros((scan.size, scan.size), np.int16)
    thickness = float(np.diff(scan.heights_mm).mean())
    frame = derived_uid("acceptance", str(scan.number))
    paths = []
    for k, height_mm in enumerate(scan.heights_mm):
        x, y, z = corner + height_mm * normal
        place = Place(
            (float(x), float(y), float(z)),
            (thickness, scan.pixel_mm, scan.pixel_mm),
            frame,
            tuple(turn.tolist()),
            scan.patient_position,
        )
        image = ct_image(phantom_called(scan.seed), k, k + 1, water, place)
        paths.append(save(image, folder / f"CT.{k:03d}.dcm"))
    return paths


def write_dose(scan: Scan, frame: str, dose: Volume, path: Path) -> Path:
    """The dose of the patient of `scan`, on its frame of reference."""
    placed = VolumeGeometry(
        dose.geometry.shape, dose.geometry.origin_mm, dose.geometry.spacing_mm, frame
    )
    return save(dose_object(Volume(dose.values, placed), phantom_called(scan.seed)), path)


def write_structures(ct: CtVolume, drawn: Mapping[str, Sequence[Points]], path: Path) -> Path:
    """An RTSTRUCT with these contours (n, 3) in LPS mm, corner for corner as they were given."""
    nothing = np.zeros(ct.geometry.shape, bool)
    made = ("acceptance", ct.identity.series_instance_uid)
    content = write_structure_set(
        ct,
        [WrittenRoi(name, nothing, "ORGAN", _COLOUR) for name in drawn],
        sop_instance_uid=derived_uid(*made, "structures"),
        series_instance_uid=derived_uid(*made, "series"),
        label="Acceptance",
        made_at=DRAWN_AT,
        approval=None,
        software_versions=("1",),
        series_description="Known bodies",
    )
    ds = dcmread(BytesIO(content))
    for item, contours in zip(ds.ROIContourSequence, drawn.values(), strict=True):
        item.ContourSequence = [_contour(points, ct) for points in contours]
    return save(ds, path)


def _contour(points_mm: Points, ct: CtVolume) -> Dataset:
    slice_ = ct.slices[round(float(ct.geometry.mm_to_index(points_mm[0])[0]))]
    image = Dataset()
    image.ReferencedSOPClassUID = slice_.sop_class_uid
    image.ReferencedSOPInstanceUID = slice_.sop_instance_uid
    item = Dataset()
    item.ContourImageSequence = [image]
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(points_mm)
    item.ContourData = [f"{mm:.6f}" for mm in points_mm.ravel()]
    return item
