"""Synthetic patients with a reference contour: CT, dose and RTSTRUCT as files of a clinic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.clinic_dicom import write_patient
from core.geometry import Mask
from core.volume import CtVolume
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtstruct_writer import WrittenRoi, write_structure_set
from dicom_node.objects.uids import derived_uid

DRAWN_AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
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


def write_contours(
    path: Path, ct: CtVolume, mask: Mask, roi_name: str, *, label: str = "TPS"
) -> Path:
    """An RTSTRUCT of `mask` on `ct`, as another system would send it."""
    made = (path.name, ct.identity.series_instance_uid, roi_name)
    content = write_structure_set(
        ct,
        [WrittenRoi(roi_name, mask, "ORGAN", (255, 0, 0))],
        sop_instance_uid=derived_uid("reference", *made),
        series_instance_uid=derived_uid("reference series", *made),
        label=label,
        made_at=DRAWN_AT,
        approval=None,
        software_versions=("1",),
        series_description="Reference",
    )
    path.write_bytes(content)
    return path
