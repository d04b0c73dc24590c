from __future__ import annotations

import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import EnhancedCTImageStorage

from app.room import software_versions
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtstruct_writer import ReviewedBy
from tests.dicom_node.structure_sets import (
    MADE_AT,
    ball,
    ct_on_disk,
    heart_with_hole,
    structure_set_bytes,
)
from tests.support.hard_shapes import ALL_SERIES, hard_ct, hard_masks
from tests.support.peers import require_program
from tests.support.settings import settings_for
from tests.support.synthetic_dicom import ct_series, encoded, written

pytestmark = pytest.mark.peer


def _errors(content: bytes, folder: Path) -> list[str]:
    """What dciodvfy holds against the object."""
    dciodvfy = require_program("dciodvfy")
    path = folder / "judged.dcm"
    path.write_bytes(content)
    judged = subprocess.run([dciodvfy, path], check=False, capture_output=True, text=True)
    assert "RTStructureSet" in judged.stderr
    return [line for line in judged.stderr.splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("approval", [None, ReviewedBy("Berg^Anna", MADE_AT)])
def test_our_structure_set_has_no_error(approval: ReviewedBy | None, tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path / "ct", shape=(8, 24, 24))
    masks = {
        "Heart": heart_with_hole(ct.geometry, radius_mm=12.0, hole_mm=5.0),
        "Lung_L": ball(ct.geometry, 6.0),
        "Empty": ball(ct.geometry, -1.0),
    }
    assert _errors(structure_set_bytes(ct, masks, approval=approval), tmp_path) == []


@pytest.mark.parametrize("series", ALL_SERIES)
def test_no_shape_on_any_series_has_an_error(series: str, tmp_path: Path) -> None:
    ct, _ = hard_ct(series, tmp_path / "ct")
    (template,) = settings_for(tmp_path).structures
    assert template.code is not None
    content = structure_set_bytes(
        ct,
        {**hard_masks(ct.geometry), "A name of more than sixteen": ball(ct.geometry, 9.0)},
        codes={"Heart": template.code},
        software_versions=software_versions("3f" * 32),
    )
    assert _errors(content, tmp_path) == []


def test_frames_of_an_enhanced_ct_are_referred_to_without_error(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path / "ct", shape=(8, 24, 24))
    one = replace(ct.slices[0], sop_class_uid=EnhancedCTImageStorage)
    frames = tuple(replace(one, frame_number=k + 1) for k in range(len(ct.slices)))
    content = structure_set_bytes(replace(ct, slices=frames), {"Heart": ball(ct.geometry, 9.0)})
    assert _errors(content, tmp_path) == []


def test_a_ct_with_nothing_but_the_required_still_gives_no_error(tmp_path: Path) -> None:
    """What rt-utils stumbles over: no study date, no study id, no referring physician."""
    series = ct_series(shape=(4, 12, 12))
    optional = ("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName")
    for ds in series:
        for keyword in (*optional, "StudyDescription", "PatientBirthDate", "PatientSex"):
            setattr(ds, keyword, "")
    ct = read_ct(written(series, tmp_path / "ct"))
    assert _errors(structure_set_bytes(ct, {"Heart": ball(ct.geometry, 8.0)}), tmp_path) == []


def test_dciodvfy_sees_what_is_wrong(tmp_path: Path) -> None:
    """Otherwise the absence of errors above would say nothing."""
    ct, _ = ct_on_disk(tmp_path / "ct", shape=(4, 12, 12))
    ds = dcmread(BytesIO(structure_set_bytes(ct, {"Heart": ball(ct.geometry, 8.0)})))
    del ds.StructureSetLabel
    del ds.ReferringPhysicianName
    assert len(_errors(encoded(ds), tmp_path)) == 2
