"""A synthetic patient as DICOM: planning CT and plan dose, as a TPS would push them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from app.phantom import Phantom, make_phantom, phantom_dose
from core.geometry import Vector
from core.volume import Volume

CT_IMAGE_STORAGE = UID("1.2.840.10008.5.1.4.1.1.2")
RT_DOSE_STORAGE = UID("1.2.840.10008.5.1.4.1.1.481.2")
DOSE_STEPS = 2**16 - 1


@dataclass(frozen=True, slots=True)
class Called:
    """What a synthetic patient is called; `key` makes the UIDs, the same key the same UIDs."""

    key: str
    patient_id: str
    patient_name: str
    series_description: str = "Synthetic planning CT"


@dataclass(frozen=True, slots=True)
class SyntheticPatient:
    """A phantom and the files that stand for it."""

    called: Called
    phantom: Phantom
    ct_paths: tuple[Path, ...]
    dose_path: Path
    series_instance_uid: str


def write_patient(
    folder: Path,
    seed: int,
    *,
    spacing_mm: tuple[float, float, float],
    tumour: bool | None = None,
    contrast: bool | None = None,
) -> SyntheticPatient:
    """Write the CT and the dose of phantom `seed` into `folder`; the same seed, the same files."""
    phantom = make_phantom(seed, spacing_mm=spacing_mm, tumour=tumour, contrast=contrast)
    return write_phantom(folder, phantom, phantom_called(seed))


def phantom_called(seed: int) -> Called:
    """What the phantom `seed` is called."""
    return Called(str(seed), f"PHANTOM-{seed:04d}", f"Phantom^{seed:04d}")


def write_phantom(folder: Path, phantom: Phantom, called: Called) -> SyntheticPatient:
    """Write the CT and a synthetic dose of `phantom` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [
        save(_ct_slice(phantom, called, k), folder / f"CT.{k:03d}.dcm")
        for k in range(phantom.volume.geometry.shape[0])
    ]
    dose = save(dose_object(phantom_dose(phantom), called), folder / "RD.dcm")
    return SyntheticPatient(called, phantom, tuple(paths), dose, _uid(called, "series"))


def _uid(called: Called, *parts: str) -> str:
    text = "/".join(("recontour synthetic clinic", called.key, *parts))
    return f"2.25.{int.from_bytes(hashlib.sha256(text.encode()).digest()[:15], 'big')}"


def _identity(called: Called, sop_class: UID, sop_instance_uid: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = UID(sop_instance_uid)
    ds.StudyInstanceUID = _uid(called, "study")
    ds.PatientName = called.patient_name
    ds.PatientID = called.patient_id
    ds.PatientBirthDate = "19600101"
    ds.PatientSex = "O"
    ds.StudyDate = "20260105"
    ds.StudyTime = "080000"
    ds.StudyID = called.key[-16:]
    ds.StudyDescription = "SYNTHETIC THORAX"
    ds.AccessionNumber = ""
    ds.ReferringPhysicianName = ""
    ds.Manufacturer = "Recontour synthetic clinic"
    ds.OperatorsName = ""
    ds.BodyPartExamined = "CHEST"
    ds.PositionReferenceIndicator = ""
    return ds


@dataclass(frozen=True, slots=True)
class Place:
    """Where one image lies: LPS mm of its first voxel, and how it is turned and spaced."""

    position_mm: Vector
    spacing_mm: Vector
    frame_of_reference_uid: str
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0)
    patient_position: str = "HFS"


def ct_image(
    called: Called, k: int, number: int, values: npt.NDArray[np.int16], at: Place
) -> Dataset:
    """Slice `k` of the CT of the patient, with `values` in HU (row, column)."""
    ds = _identity(called, CT_IMAGE_STORAGE, _uid(called, "ct", str(k)))
    ds.Modality = "CT"
    ds.SeriesInstanceUID = _uid(called, "series")
    ds.SeriesDescription = called.series_description
    ds.SeriesNumber = 1
    ds.InstanceNumber = number
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.FrameOfReferenceUID = at.frame_of_reference_uid
    ds.PatientPosition = at.patient_position
    ds.ImageOrientationPatient = list(at.orientation)
    ds.ImagePositionPatient = [round(float(v), 4) for v in at.position_mm]
    ds.PixelSpacing = [at.spacing_mm[1], at.spacing_mm[2]]
    ds.SliceThickness = at.spacing_mm[0]
    ds.KVP = 120
    ds.AcquisitionNumber = 1
    ds.Rows, ds.Columns = values.shape
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "HU"
    ds.PixelData = values.astype("<i2").tobytes()
    return ds


def _ct_slice(phantom: Phantom, called: Called, k: int) -> Dataset:
    geometry = phantom.volume.geometry
    x, y, z = geometry.index_to_mm((k, 0, 0))
    at = Place((float(x), float(y), float(z)), geometry.spacing_mm, geometry.frame_of_reference_uid)
    return ct_image(called, k, geometry.shape[0] - k, phantom.volume.values[k], at)


def dose_object(dose: Volume, called: Called) -> Dataset:
    """The plan dose of the patient, in 16 bits."""
    geometry = dose.geometry
    ds = _identity(called, RT_DOSE_STORAGE, _uid(called, "dose"))
    ds.Modality = "RTDOSE"
    ds.SeriesInstanceUID = _uid(called, "dose series")
    ds.SeriesDescription = "Synthetic dose, not a plan"
    ds.SeriesNumber = 2
    ds.InstanceNumber = 1
    ds.FrameOfReferenceUID = geometry.frame_of_reference_uid
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [round(v, 4) for v in geometry.origin_mm]
    ds.PixelSpacing = [geometry.spacing_mm[1], geometry.spacing_mm[2]]
    ds.SliceThickness = geometry.spacing_mm[0]
    ds.GridFrameOffsetVector = [k * geometry.spacing_mm[0] for k in range(geometry.shape[0])]
    ds.FrameIncrementPointer = (0x3004, 0x000C)
    ds.NumberOfFrames = geometry.shape[0]
    ds.Rows, ds.Columns = geometry.shape[1], geometry.shape[2]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.DoseUnits, ds.DoseType, ds.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    scaling = max(float(dose.values.max()), 1e-6) / DOSE_STEPS
    ds.DoseGridScaling = f"{scaling:.10e}"[:16]
    steps = np.rint(dose.values / float(ds.DoseGridScaling))
    ds.PixelData = np.clip(steps, 0, DOSE_STEPS).astype("<u2").tobytes()
    ds.ReferencedRTPlanSequence = [
        _reference("1.2.840.10008.5.1.4.1.1.481.5", _uid(called, "plan"))
    ]
    return ds


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def save(ds: Dataset, path: Path) -> Path:
    """Write an object to `path`."""
    ds.save_as(path, enforce_file_format=True)
    return path
