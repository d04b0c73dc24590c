"""SEG and SR before foreign judges: dciodvfy, DCMTK's SR reader, Orthanc."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from app.clinic_dicom import write_patient
from app.delivering import deliver
from core.delivery_store import SENT
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.seg_reader import read_seg
from tests.app.made_prediction import made_prediction
from tests.dicom_node.structure_sets import ball, ct_on_disk, flat_hu, heart_with_hole
from tests.dicom_node.test_seg import seg_bytes
from tests.dicom_node.test_sr import contours, sr_bytes
from tests.support.enhanced_ct import enhanced_ct
from tests.support.orthanc import running_orthanc
from tests.support.peers import require_program
from tests.support.room import approve_mask, bring_up_to_date, open_room, receive
from tests.support.synthetic_dicom import ct_series, encoded, written

pytestmark = pytest.mark.peer


def _judged(content: bytes, folder: Path) -> tuple[str, list[str]]:
    """The kind of object that dciodvfy sees, and the errors it finds."""
    path = folder / "judged.dcm"
    path.write_bytes(content)
    command = [require_program("dciodvfy"), path]
    lines = subprocess.run(command, check=False, capture_output=True, text=True).stderr.splitlines()
    kinds = [line for line in lines if not line.startswith(("Error", "Warning"))]
    return " ".join(kinds).strip(), [line for line in lines if line.startswith("Error")]


@pytest.mark.parametrize("reviewer", [None, "anna"])
def test_a_segmentation_has_no_error(reviewer: str | None, tmp_path: Path) -> None:
    ct, paths = ct_on_disk(tmp_path / "ct", shape=(8, 24, 24))
    masks = {"Heart": heart_with_hole(ct.geometry, radius_mm=12.0, hole_mm=5.0)}
    masks["Lung_L"] = ball(ct.geometry, 6.0)
    content = seg_bytes(ct, paths, masks, reviewer=reviewer)
    assert _judged(content, tmp_path) == ("Segmentation", [])


def test_a_segmentation_of_an_enhanced_ct_has_no_error(tmp_path: Path) -> None:
    paths = written([enhanced_ct(ct_series(hu=flat_hu))], tmp_path / "ct")
    ct = read_ct(paths)
    content = seg_bytes(ct, paths, {"Heart": ball(ct.geometry, 6.0)})
    assert _judged(content, tmp_path) == ("Segmentation", [])


def test_a_ct_with_nothing_but_the_required_still_gives_no_error(tmp_path: Path) -> None:
    series = ct_series(shape=(4, 12, 12))
    optional = ("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName")
    for ds in series:
        for keyword in (*optional, "StudyDescription", "PatientBirthDate", "PatientSex"):
            setattr(ds, keyword, "")
    paths = written(series, tmp_path / "ct")
    ct = read_ct(paths)
    seg = seg_bytes(ct, paths, {"Heart": ball(ct.geometry, 8.0)})
    assert _judged(seg, tmp_path)[1] == []
    report = sr_bytes(ct, contours(ct)[:1])
    assert _judged(report, tmp_path)[1] == []


def test_a_report_has_no_error_and_dcmtk_reads_it_whole(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path / "ct")
    assert _judged(sr_bytes(ct, contours(ct)), tmp_path) == ("Comprehensive3DSR", [])
    command = [require_program("dsrdump"), tmp_path / "judged.dcm"]
    read = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "W: " not in read.stderr
    assert read.stdout.count('"Measurement Group")') == 2
    assert 'NUM:(,,"Mean Absorbed Radiation Dose")="3.25" (Gy,UCUM,"Gy")' in read.stdout
    assert '"Source of Measurement")=(RTDoseStorage' in read.stdout


def test_a_report_on_an_empty_prediction_has_no_error(tmp_path: Path) -> None:
    ct, _ = ct_on_disk(tmp_path / "ct")
    empty = replace(contours(ct)[0], slices=(), volume_cc=0.0, doses=())
    assert _judged(sr_bytes(ct, [empty, contours(ct)[1]]), tmp_path)[1] == []


def test_dciodvfy_sees_what_is_wrong(tmp_path: Path) -> None:
    """Otherwise the absence of errors above would say nothing."""
    ct, paths = ct_on_disk(tmp_path / "ct")
    seg = dcmread(BytesIO(seg_bytes(ct, paths, {"Heart": ball(ct.geometry, 6.0)})))
    del seg.ContentLabel
    assert len(_judged(encoded(seg), tmp_path)[1]) == 1
    report = dcmread(BytesIO(sr_bytes(ct, contours(ct))))
    del report.CurrentRequestedProcedureEvidenceSequence
    assert _judged(encoded(report), tmp_path)[1]


def test_orthanc_accepts_segmentations_and_report_and_gives_the_same_voxels_back(
    tmp_path: Path,
) -> None:
    patient = write_patient(tmp_path / "patient", 3, spacing_mm=(6.0, 6.0, 6.0))
    with running_orthanc(tmp_path / "orthanc", node_ae_title="RECONTOUR", node_port=1) as orthanc:
        room = open_room(
            tmp_path,
            destination_port=orthanc.dicom_port,
            objects=("RTSTRUCT", "SEG", "SR"),
        )
        receive(room, [*patient.ct_paths, patient.dose_path])
        bring_up_to_date(room)
        (case,) = room.store.cases.all()
        assert case.geometry is not None
        smaller = patient.phantom.heart & np.roll(patient.phantom.heart, 1, axis=2)
        made_prediction(room, case.id, smaller)
        approve_mask(room, case.id, patient.phantom.heart)
        (delivery,) = room.store.deliveries.all()
        assert deliver(room, delivery.id) == SENT
        assert len(orthanc.instances_of_modality("RTSTRUCT")) == 1
        assert len(orthanc.instances_of_modality("SR")) == 1
        found = {}
        for number, kept in enumerate(orthanc.instances_of_modality("SEG")):
            path = tmp_path / f"{number}.dcm"
            path.write_bytes(orthanc.file(kept))
            label = str(dcmread(path, stop_before_pixels=True).ContentLabel)
            found[label] = read_seg(path, case.geometry)["Heart"]
    assert set(found) == {"PREDICTION", "CORRECTION"}
    assert np.array_equal(found["CORRECTION"], patient.phantom.heart)
    assert np.array_equal(found["PREDICTION"], smaller)
