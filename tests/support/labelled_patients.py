"""Synthetic patients with a reference contour: CT, dose and RTSTRUCT as files of a clinic."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.clinic_contours import write_contours
from app.clinic_dicom import write_patient
from core.geometry import Mask
from core.volume import CtVolume
from dicom_node.objects.ct_reader import read_ct

COARSE_MM = (8.0, 8.0, 8.0)


@dataclass(frozen=True, slots=True)
class LabelledPatient:
    """A phantom whose heart somebody has contoured; `heart` lies on `ct`."""

    folder: Path
    ct: CtVolume
    heart: Mask
    structure_set: Path


def write_labelled(
    folder: Path,
    seed: int,
    *,
    roi_name: str = "Heart",
    label: str = "TPS",
    spacing_mm: tuple[float, float, float] = COARSE_MM,
) -> LabelledPatient:
    """Phantom `seed` with its heart as `roi_name`, in `folder`."""
    patient = write_patient(folder, seed, spacing_mm=spacing_mm)
    ct = read_ct(list(patient.ct_paths))
    heart = patient.phantom.heart
    return LabelledPatient(
        folder, ct, heart, write_contours(folder / "RS.dcm", ct, heart, roi_name, label=label)
    )
