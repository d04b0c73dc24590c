"""Synthetic objects of every kind the node writes, for the tables of the conformance statement."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from app.clinic_dicom import write_patient
from app.room import software_versions
from core.config import Settings
from core.records import InstanceHeader
from core.volume import CtVolume
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtstruct_writer import ReviewedBy, WrittenRoi, write_structure_set
from dicom_node.objects.seg_writer import WrittenSegment, write_seg
from dicom_node.objects.sr_writer import MeasuredContour, MeasuredDose, write_sr

REVIEWER = "Reviewer"
LONG_NAME = "A structure whose name is cut"
_COARSE_MM = ((40.0, 40.0, 40.0), (50.0, 45.0, 42.0))
_MADE_AT = (datetime(2026, 1, 5, 8, tzinfo=UTC), datetime(2026, 1, 6, 9, tzinfo=UTC))


class Sample:
    """A synthetic CT and what is written on it; of two no date, person or UID is the same."""

    def __init__(self, folder: Path, number: int, settings: Settings) -> None:
        self._paths = write_patient(folder, number + 1, spacing_mm=_COARSE_MM[number]).ct_paths
        whole = read_ct(self._paths)
        told = replace(
            whole.identity,
            patient_birth_date=f"1960010{number + 1}",
            patient_sex="FM"[number],
            study_id=f"S{number}",
            study_date=f"2026010{number + 1}",
            study_time=f"07000{number}",
            accession_number=f"A{number}",
            referring_physician_name=f"Referrer^{number}",
            study_description="" if number else "Described",
        )
        self.ct: CtVolume = replace(whole, identity=told)
        self._number, self._made_at = number, _MADE_AT[number]
        self._structure, self._device = settings.structures[0], settings.dicom.ae_title
        self._mask = np.zeros(whole.geometry.shape, bool)
        self._mask[2 : 4 + number, 3:6, 3:6] = True
        self._mask[2 + number, 3, 3] = number == 0  # another outline
        self._versions = software_versions(f"{number}" * 64)

    def structure_set(self) -> Dataset:
        """Of number 0 approved, of number 1 not."""
        roi = WrittenRoi(
            (self._structure.name, LONG_NAME)[self._number],
            self._mask,
            self._structure.interpreted_type,
            self._structure.colour,
            self._structure.code,
        )
        content = write_structure_set(
            self.ct,
            [roi],
            sop_instance_uid=f"1.2.{self._number}",
            series_instance_uid=f"1.3.{self._number}",
            label=("Recontour", "AI unreviewed")[self._number],
            made_at=self._made_at,
            approval=None if self._number else ReviewedBy(REVIEWER, self._made_at),
            software_versions=self._versions,
            series_description=("Reviewed and approved", "Prediction, not reviewed")[self._number],
        )
        return dcmread(BytesIO(content))

    def seg(self) -> Dataset:
        """Of a correction, and of a prediction."""
        content = write_seg(
            self.ct,
            [WrittenSegment(self._structure.name, self._mask, self._versions[-1])],
            ct_paths=self._paths,
            sop_instance_uid=f"1.4.{self._number}",
            series_instance_uid=f"1.5.{self._number}",
            description=("Reviewed and approved", "Prediction, not reviewed")[self._number],
            made_at=self._made_at,
            reviewer=None if self._number else REVIEWER,
            software_versions=self._versions,
        )
        return dcmread(BytesIO(content))

    def report(self) -> Dataset:
        """One measurement group with a dose."""
        source = InstanceHeader(
            sop_instance_uid=f"1.6.{self._number}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.481.2",
            study_instance_uid=self.ct.identity.study_instance_uid,
            series_instance_uid=f"1.7.{self._number}",
            modality="RTDOSE",
        )
        dose = MeasuredDose((source,), 4.0 + self._number, 0.9 + self._number / 100, 0.5)
        contour = MeasuredContour(
            label="correction",
            seg_sop_instance_uid=f"1.4.{self._number}",
            seg_series_instance_uid=f"1.5.{self._number}",
            slices=self.ct.slices[2:4],
            volume_cc=500.0 + self._number,
            doses=(dose,),
        )
        content = write_sr(
            self.ct,
            self._structure.name,
            [contour],
            sop_instance_uid=f"1.8.{self._number}",
            series_instance_uid=f"1.9.{self._number}",
            observer=REVIEWER,
            device_name=self._device,
            made_at=self._made_at,
            software_versions=self._versions,
        )
        return dcmread(BytesIO(content))
