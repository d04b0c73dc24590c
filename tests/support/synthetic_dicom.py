"""Small DICOM objects with known truth.

What a voxel holds is a function of the patient position (LPS mm), so the truth is the same in
every patient position, spacing and shape.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    RTDoseStorage,
    RTPlanStorage,
    RTStructureSetStorage,
)

Field = Callable[[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]], npt.NDArray[Any]]
Shape = tuple[int, int, int]
Triple = tuple[float, float, float]

# Image Orientation (Patient) of the eight patient positions (PS3.3 C.7.3.1.1.2).
ORIENTATIONS: dict[str, tuple[int, int, int, int, int, int]] = {
    "HFS": (1, 0, 0, 0, 1, 0),
    "HFP": (-1, 0, 0, 0, -1, 0),
    "FFS": (-1, 0, 0, 0, 1, 0),
    "FFP": (1, 0, 0, 0, -1, 0),
    "HFDR": (0, 1, 0, -1, 0, 0),
    "HFDL": (0, -1, 0, 1, 0, 0),
    "FFDR": (0, -1, 0, -1, 0, 0),
    "FFDL": (0, 1, 0, 1, 0, 0),
}
PATIENT_POSITIONS = tuple(ORIENTATIONS)


def uid(*parts: str) -> str:
    """A UID that depends on `parts` alone."""
    digest = hashlib.sha256("/".join(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:12])}"


def ramp_hu(
    x: npt.NDArray[Any], y: npt.NDArray[Any], z: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """A field that is different along each axis: 2 HU/mm left, 3 posterior, 5 superior."""
    return np.asarray(2.0 * x + 3.0 * y + 5.0 * z, np.float64)


def ball_hu(centre_mm: Triple, radius_mm: float, *, inside: float = 50.0) -> Field:
    """A ball of `inside` HU in water-like tissue of 0 HU."""

    def hu(
        x: npt.NDArray[Any], y: npt.NDArray[Any], z: npt.NDArray[Any]
    ) -> npt.NDArray[np.float64]:
        distance2 = (x - centre_mm[0]) ** 2 + (y - centre_mm[1]) ** 2 + (z - centre_mm[2]) ** 2
        return np.where(distance2 <= radius_mm**2, inside, 0.0)

    return hu


class Grid:
    """Where the voxels of an acquisition are; index order (slice, row, column), as scanned."""

    def __init__(
        self,
        shape: Shape,
        spacing_mm: Triple,
        patient_position: str = "HFS",
        centre_mm: Triple = (0.0, 0.0, 0.0),
    ) -> None:
        self.shape = shape
        self.spacing_mm = spacing_mm
        self.patient_position = patient_position
        orientation = np.asarray(ORIENTATIONS[patient_position], np.float64)
        along_row, along_column = orientation[:3], orientation[3:]
        normal = np.cross(along_row, along_column)
        self.steps_mm = np.stack([normal, along_column, along_row]) * np.array(spacing_mm)[:, None]
        self.origin_mm = np.asarray(centre_mm) - (np.asarray(shape) - 1) / 2 @ self.steps_mm

    def positions_mm(self) -> npt.NDArray[np.float64]:
        """LPS positions (slice, row, column, 3) of the voxel centres."""
        indices = np.stack(np.meshgrid(*map(np.arange, self.shape), indexing="ij"), axis=-1)
        return np.asarray(indices @ self.steps_mm + self.origin_mm, np.float64)

    def sampled(self, field: Field) -> npt.NDArray[np.float64]:
        """`field` at the voxel centres."""
        positions = self.positions_mm()
        values = field(positions[..., 0], positions[..., 1], positions[..., 2])
        return np.asarray(values, np.float64)


def ct_series(
    *,
    shape: Shape = (6, 12, 10),
    spacing_mm: Triple = (3.0, 2.0, 2.0),
    patient_position: str = "HFS",
    centre_mm: Triple = (0.0, 0.0, 0.0),
    hu: Field = ramp_hu,
    name: str = "one",
    patient: str = "P1",
) -> list[Dataset]:
    """A CT series, one instance for each slice; `shape` and `spacing_mm` as scanned.

    `name` decides the series UID and the frame of reference, `patient` the study and the patient.
    """
    grid = Grid(shape, spacing_mm, patient_position, centre_mm)
    stored = np.rint(grid.sampled(hu) + 1024.0)
    if stored.min() < 0 or stored.max() > 4095:
        raise ValueError("The field leaves 12 bits; choose smaller values.")
    return [_ct_slice(grid, k, stored[k], name, patient) for k in range(shape[0])]


def _ct_slice(grid: Grid, k: int, stored: npt.NDArray[Any], name: str, patient: str) -> Dataset:
    ds = _new(CTImageStorage, uid("ct", patient, name, str(k)), patient)
    ds.Modality = "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    for attribute in ("SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(ds, attribute, "20260105")
    for attribute in ("SeriesTime", "AcquisitionTime", "ContentTime"):
        setattr(ds, attribute, "101500")
    ds.SeriesInstanceUID = uid("series", patient, name)
    ds.FrameOfReferenceUID = uid("frame", patient, name)
    ds.PositionReferenceIndicator = ""
    ds.SeriesDescription = "Synthetic CT"
    ds.SeriesNumber = 2
    ds.AcquisitionNumber = 1
    ds.InstanceNumber = k + 1
    ds.KVP = "120"
    ds.PatientPosition = grid.patient_position
    ds.SliceThickness = grid.spacing_mm[0]
    ds.ImagePositionPatient = decimals(grid.origin_mm + k * grid.steps_mm[0])
    ds.ImageOrientationPatient = list(ORIENTATIONS[grid.patient_position])
    ds.PixelSpacing = decimals(grid.spacing_mm[1:])
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = grid.shape[1:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelData = stored.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def rtdose(
    dose_gy: Field,
    *,
    shape: Shape = (5, 8, 9),
    spacing_mm: Triple = (3.0, 2.5, 2.5),
    patient_position: str = "HFS",
    centre_mm: Triple = (0.0, 0.0, 0.0),
    offsets: str = "relative",
    bits: int = 32,
    ct: Dataset | None = None,
    plan_uid: str = "",
) -> Dataset:
    """An RT Dose on its own grid, on the frame of reference of `ct` where one is given.

    `offsets` is "relative", "absolute" (PS3.3 C.8.8.3.2 option b) or "descending".
    """
    grid = Grid(shape, spacing_mm, patient_position, centre_mm)
    values = grid.sampled(dose_gy)
    origin, along = grid.origin_mm, np.arange(shape[0]) * spacing_mm[0]
    if offsets == "descending":
        values, origin, along = values[::-1], origin + (shape[0] - 1) * grid.steps_mm[0], -along
    if offsets == "absolute":
        along = origin[2] + along * np.sign(grid.steps_mm[0][2])
    patient = str(ct.PatientID) if ct is not None else "P1"
    ds = _new(RTDoseStorage, uid("dose", patient, offsets, str(bits), plan_uid), patient)
    ds.Modality = "RTDOSE"
    ds.SeriesInstanceUID = uid("dose series", patient)
    ds.SeriesNumber, ds.InstanceNumber = 4, 1
    ds.OperatorsName = ""
    ds.FrameOfReferenceUID = (
        ct.FrameOfReferenceUID if ct is not None else uid("frame", patient, "one")
    )
    ds.PositionReferenceIndicator = ""
    ds.ImagePositionPatient = decimals(origin)
    ds.ImageOrientationPatient = list(ORIENTATIONS[patient_position])
    ds.PixelSpacing = decimals(spacing_mm[1:])
    ds.SliceThickness = spacing_mm[0]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.NumberOfFrames, (ds.Rows, ds.Columns) = shape[0], shape[1:]
    ds.FrameIncrementPointer = Tag("GridFrameOffsetVector")
    ds.GridFrameOffsetVector = decimals(along)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits, bits - 1, 0
    ds.DoseUnits, ds.DoseType, ds.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    scaling = f"{max(float(values.max()), 1e-6) / (2**bits - 2):.10g}"
    ds.DoseGridScaling = scaling
    ds.ReferencedRTPlanSequence = [_reference(RTPlanStorage, plan_uid or uid("plan", patient))]
    # Ten digits of scaling may take the highest dose one too high.
    stored = np.minimum(np.rint(values / float(scaling)), 2**bits - 1)
    ds.PixelData = stored.astype(f"<u{bits // 8}").tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def rtstruct(
    ct: Sequence[Dataset],
    rois: Mapping[str, Sequence[tuple[npt.ArrayLike, str | None]]],
    *,
    name: str = "structures",
) -> Dataset:
    """A structure set as a TPS writes it: for each ROI contours (n, 3) in LPS mm with their image.

    A ROI without contours gets no Contour Sequence, as Eclipse does.
    """
    first = ct[0]
    patient = str(first.PatientID)
    ds = _new(RTStructureSetStorage, uid("rtstruct", patient, name), patient)
    ds.Modality = "RTSTRUCT"
    ds.SeriesInstanceUID = uid("rtstruct series", patient, name)
    ds.SeriesNumber, ds.InstanceNumber = 3, 1
    ds.OperatorsName = ""
    ds.StructureSetLabel, ds.ApprovalStatus = "TPS", "UNAPPROVED"
    ds.StructureSetDate, ds.StructureSetTime = "20260105", "110000"
    series = Dataset()
    series.SeriesInstanceUID = first.SeriesInstanceUID
    series.ContourImageSequence = [_reference(CTImageStorage, str(s.SOPInstanceUID)) for s in ct]
    study = _reference(UID("1.2.840.10008.3.1.2.3.1"), str(first.StudyInstanceUID))
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = first.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    ds.ReferencedFrameOfReferenceSequence = [frame]
    ds.StructureSetROISequence, ds.ROIContourSequence = [], []
    ds.RTROIObservationsSequence = []
    for number, (roi_name, contours) in enumerate(rois.items(), start=1):
        _add_roi(ds, number, roi_name, contours)
    return ds


def _add_roi(
    ds: Dataset,
    number: int,
    roi_name: str,
    contours: Sequence[tuple[npt.ArrayLike, str | None]],
) -> None:
    roi = Dataset()
    roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, roi_name, "MANUAL"
    roi.ReferencedFrameOfReferenceUID = ds.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID
    ds.StructureSetROISequence.append(roi)
    outline = Dataset()
    outline.ReferencedROINumber, outline.ROIDisplayColor = number, [0, 255, 0]
    if contours:
        outline.ContourSequence = [_contour(*contour) for contour in contours]
    ds.ROIContourSequence.append(outline)
    observation = Dataset()
    observation.ObservationNumber = observation.ReferencedROINumber = number
    observation.RTROIInterpretedType, observation.ROIInterpreter = "ORGAN", ""
    ds.RTROIObservationsSequence.append(observation)


def _contour(points_mm: npt.ArrayLike, image_uid: str | None) -> Dataset:
    points = np.asarray(points_mm, np.float64)
    item = Dataset()
    if image_uid is not None:
        item.ContourImageSequence = [_reference(CTImageStorage, image_uid)]
    item.ContourGeometricType = "CLOSED_PLANAR" if len(points) > 2 else "POINT"
    item.NumberOfContourPoints = len(points)
    item.ContourData = decimals(points.ravel())
    return item


def rtplan(ct: Dataset, *, structure_set_uid: str, plan_uid: str = "") -> Dataset:
    """The least that says which structure set a plan was made on."""
    patient = str(ct.PatientID)
    ds = _new(RTPlanStorage, plan_uid or uid("plan", patient), patient)
    ds.Modality = "RTPLAN"
    ds.SeriesInstanceUID = uid("plan series", patient)
    ds.SeriesNumber, ds.InstanceNumber = 5, 1
    ds.OperatorsName = ""
    ds.RTPlanLabel, ds.RTPlanDate, ds.RTPlanTime = "PLAN", "20260105", "113000"
    ds.RTPlanGeometry = "PATIENT"
    ds.FrameOfReferenceUID = ct.FrameOfReferenceUID
    ds.ReferencedStructureSetSequence = [_reference(RTStructureSetStorage, structure_set_uid)]
    return ds


def encoded(ds: Dataset) -> bytes:
    """`ds` as a part 10 file."""
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def written(datasets: Sequence[Dataset], folder: Path) -> list[Path]:
    """Write each dataset to `folder` under its SOP Instance UID; the paths in the same order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{ds.SOPInstanceUID}.dcm" for ds in datasets]
    for ds, path in zip(datasets, paths, strict=True):
        path.write_bytes(encoded(ds))
    return paths


def decimals(values: npt.ArrayLike) -> list[str]:
    """Decimal strings of at most 16 characters (PS3.5 6.2, DS)."""
    return [f"{value:.6f}"[:16] for value in np.asarray(values, np.float64).ravel()]


def _reference(sop_class_uid: UID, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def _new(sop_class_uid: UID, sop_instance_uid: str, patient: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = sop_class_uid
    ds.file_meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = UID("2.25.1234567")
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.InstanceCreationDate, ds.InstanceCreationTime = "20260105", "101500"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, sop_instance_uid
    ds.StudyDate, ds.StudyTime = "20260105", "101500"
    ds.AccessionNumber, ds.ReferringPhysicianName, ds.Manufacturer = "", "", "SYNTHETIC"
    ds.StudyDescription = "RT planning"
    ds.PatientName, ds.PatientID = f"Synthetic^{patient}", patient
    ds.PatientBirthDate, ds.PatientSex = "19600101", "F"
    ds.StudyInstanceUID, ds.StudyID = uid("study", patient), "1"
    return ds
