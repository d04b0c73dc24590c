"""The whole loop with real peers: Orthanc as the TPS, Chromium as the physician's browser."""

from __future__ import annotations

import csv
import io
import subprocess
from pathlib import Path
from typing import Literal

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from playwright.sync_api import Browser, Page

from app.clinic import Physician, hand_drawn, wait_for
from app.clinic_dicom import write_patient
from app.peer import parse_peer
from core.case import CaseState
from core.geometry import Mask
from core.rasterise import mask_of_contours
from core.records import Case
from core.store import Store, open_store
from dicom_node.network.scu import send_instances
from dicom_node.objects.rtstruct_reader import read_structure_set
from dose.difference import dice
from tests.support.browser import log_in, open_browser_page
from tests.support.node import PASSWORD, USERNAME, RunningNode, running_node
from tests.support.orthanc import Orthanc, running_orthanc
from tests.support.peers import require_program
from tests.support.polygon_dose import polygon_dose
from tests.support.settings import free_port
from tests.support.shared_data import shared_data

# Settings with which two phantoms lead to a proposal of some hundred cc on this CT; a model of two
# patients may as well propose nothing, and then there is no dose difference to look at.
TRAINING = {"learning_rate": 0.002}
SLICE_MM = 5.0


def teach_a_first_model(node: RunningNode, store: Store, folder: Path) -> None:
    """Two phantoms through the same loop, so that the real CT meets a model that learned here."""
    peer = parse_peer(f"RECONTOUR@127.0.0.1:{node.settings.dicom.port}")
    physician = node.physician()
    rng = np.random.default_rng(0)
    for seed in (11, 12):
        patient = write_patient(folder / str(seed), seed, spacing_mm=(4.0, 2.0, 2.0))
        send_instances(patient.ct_paths, peer, calling_ae_title="TPS")
        case = wait_for_case(store, patient.series_instance_uid, {CaseState.ASSEMBLED})
        physician.correct(case.id, hand_drawn(patient.phantom.heart, rng))
    wait_for(lambda: store.learning.released("Heart"), timeout_s=600, what="a first model")


def wait_for_case(store: Store, series_instance_uid: str, states: set[CaseState]) -> Case:
    found: Case = wait_for(
        lambda: next(
            (
                c
                for c in store.cases.all(states=states)
                if c.series_instance_uid == series_instance_uid
            ),
            None,
        ),
        timeout_s=90,
        what=f"the case to be {states}",
    )
    return found


def correct_in_the_browser(page: Page, url: str, heart: Mask, spacing_mm: float) -> None:
    """Paint the heart on eleven slices, remove what was proposed on one, take one stroke back."""
    page.goto(url, timeout=90_000)
    page.wait_for_selector("body[data-ready=true]", state="attached", timeout=60_000)
    axial = page.locator("#axial")
    box = axial.bounding_box()
    assert box is not None
    left, top, scale = (
        float(axial.get_attribute(f"data-{n}") or "nan") for n in ("left", "top", "scale")
    )

    def at(row: float, column: float) -> tuple[float, float]:
        mm = spacing_mm * scale
        return box["x"] + left + (column + 0.5) * mm, box["y"] + top + (row + 0.5) * mm

    for _ in range(8):
        page.keyboard.press("]")
    # Where the page opens, in the middle of the proposal: the opposite brush removes.
    middle = at(heart.shape[1] / 2, heart.shape[2] / 2)
    drag(page, middle, (middle[0] + 40, middle[1]), button="right")
    slices = np.flatnonzero(heart.any((1, 2)))
    go_to_slice(page, int(slices.mean()) - 5)
    for k in range(int(slices.mean()) - 5, int(slices.mean()) + 6):
        row, column = np.argwhere(heart[k]).mean(0)
        drag(page, at(row, column - 25 / spacing_mm), at(row, column + 25 / spacing_mm))
        page.keyboard.press("r")
    page.keyboard.press("z")
    page.wait_for_selector("body[data-seq='13'][data-pending='0']", state="attached")
    page.click("#approve")
    page.click("#confirm-approve")
    page.wait_for_selector("body[data-state=APPROVED], body[data-state=DELIVERED]")


def drag(
    page: Page,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    button: Literal["left", "right"] = "left",
) -> None:
    page.mouse.move(*start)
    page.mouse.down(button=button)
    page.mouse.move(*end, steps=6)
    page.mouse.up(button=button)


def go_to_slice(page: Page, wanted: int) -> None:
    for _ in range(200):
        now = int(page.get_attribute("#axial", "data-slice") or -1)
        if now == wanted:
            return
        page.keyboard.press("r" if now < wanted else "f")
    raise AssertionError(f"The page did not come to slice {wanted}.")


def silver_heart(data: Path, case: Case) -> Mask:
    """The silver reference on the case's grid: where the simulated hand paints."""
    roi = read_structure_set(data / "rt" / "RS.silver.dcm").roi_named("Heart")
    assert roi is not None
    assert case.geometry is not None
    return mask_of_contours([c.points_mm for c in roi.contours], case.geometry).mask


def read_by_plastimatch(rtstruct: Path, ct_folder: Path, folder: Path) -> np.ndarray:
    """The heart's mask as plastimatch reads it, in z, y, x of the CT grid."""
    words: list[str | Path] = [require_program("plastimatch"), "convert", "--input", rtstruct]
    words += ["--referenced-ct", ct_folder, "--prefix-format", "nrrd"]
    words += ["--output-prefix", folder / "pm"]
    subprocess.run(words, check=True, capture_output=True)
    return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "pm" / "Heart.nrrd"))) > 0)


@pytest.mark.slow
@pytest.mark.peer
@pytest.mark.browser
def test_a_real_ct_goes_all_the_way_round(tmp_path: Path, chromium: Browser) -> None:
    data = shared_data("chest-crlm-1006")
    ct_paths = sorted((data / "CT").glob("*.dcm"))
    dose_path = data / "rt" / "RD.synthetic.dcm"
    series = str(pydicom.dcmread(ct_paths[0], stop_before_pixels=True).SeriesInstanceUID)
    tps_port = free_port()
    with (
        running_node(tmp_path, tps_port, training=TRAINING) as node,
        running_orthanc(
            tmp_path / "tps",
            node_ae_title="RECONTOUR",
            node_port=node.settings.dicom.port,
            dicom_port=tps_port,
        ) as tps,
    ):
        store = open_store(node.settings)
        teach_a_first_model(node, store, tmp_path)
        before = len(store.learning.learning_set("Heart").ids())

        # Orthanc pushes the dose first: the order must not matter.
        tps.echo("NODE")
        tps.push([tps.upload(dose_path)], "NODE")
        tps.push([tps.upload(path) for path in ct_paths], "NODE")
        case = wait_for_case(store, series, {CaseState.PREDICTED})
        offered = tmp_path / "offered.dcm"
        offered.write_bytes(node.physician().get(f"/cases/{case.id}/rtstruct"))

        with open_browser_page(chromium) as page:
            log_in(page, node.url, USERNAME, PASSWORD)
            assert case.geometry is not None
            correct_in_the_browser(
                page,
                f"{node.url}/cases/{case.id}",
                silver_heart(data, case),
                case.geometry.spacing_mm[1],
            )

        case = wait_for_case(store, series, {CaseState.DELIVERED})
        assert len(store.learning.learning_set("Heart").ids()) == before + 1
        approved = store.reviews.correction_of(case.id, "Heart")
        assert approved is not None
        mask = store.files.read_mask(case.id, f"correction-{approved.id}")

        delivered = tmp_path / "delivered.dcm"
        delivered.write_bytes(what_the_tps_received(tps, store, case))
        check_references(delivered, ct_paths)
        check_with_dciodvfy(delivered)
        back = read_by_plastimatch(delivered, data / "CT", tmp_path)
        assert back.sum() == pytest.approx(mask.sum(), rel=0.01)
        assert dice(canonical(back, ct_paths), mask) >= 0.99

        row = wait_for(
            lambda: dose_row(node.physician(), case), timeout_s=300, what="the case's dose"
        )
        of_prediction = polygon_dose(offered, dose_path, "Heart", slice_mm=SLICE_MM).mean_gy
        of_correction = polygon_dose(delivered, dose_path, "Heart", slice_mm=SLICE_MM).mean_gy
        assert float(row["mean_predicted_gy"]) == pytest.approx(of_prediction, rel=0.01)
        assert float(row["mean_corrected_gy"]) == pytest.approx(of_correction, rel=0.01)
        difference = of_correction - of_prediction
        print(
            f"mean heart dose {of_prediction:.3f} -> {of_correction:.3f} Gy (synthetic dose), "
            f"volume {row['volume_predicted_cc']} -> {row['volume_corrected_cc']} cc"
        )
        assert float(row["mean_difference_gy"]) == pytest.approx(difference, rel=0.01)
        (dose,) = store.instances.attached(case.id, kind="dose")
        (measured,) = wait_for(
            lambda: store.differences.of(approved.id, dose.id),
            timeout_s=300,
            what="what the correction means for the dose",
        )
        assert measured.dose is not None
        parts_gy = [gray for _, gray in measured.dose["slices_gy"]]
        assert sum(parts_gy) == pytest.approx(difference, rel=0.01)


def what_the_tps_received(tps: Orthanc, store: Store, case: Case) -> bytes:
    (delivery,) = store.deliveries.all(case_id=case.id)
    files = [tps.file(i) for i in tps.instances_of_modality("RTSTRUCT")]
    (found,) = [
        f
        for f in files
        if str(pydicom.dcmread(io.BytesIO(f)).SOPInstanceUID) == delivery.sop_instance_uid
    ]
    return found


def check_references(rtstruct: Path, ct_paths: list[Path]) -> None:
    """Every CT instance is referenced, and each contour lies on the slice it names."""
    ds = pydicom.dcmread(rtstruct)
    slices = [pydicom.dcmread(path, stop_before_pixels=True) for path in ct_paths]
    z_of = {str(s.SOPInstanceUID): float(s.ImagePositionPatient[2]) for s in slices}
    study = ds.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    (listed,) = study.RTReferencedSeriesSequence
    named = {str(i.ReferencedSOPInstanceUID) for i in listed.ContourImageSequence}
    assert named == set(z_of)
    assert ds.StudyInstanceUID == slices[0].StudyInstanceUID
    assert ds.SeriesInstanceUID != slices[0].SeriesInstanceUID
    assert ds.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID == (
        slices[0].FrameOfReferenceUID
    )
    for contour in ds.ROIContourSequence[0].ContourSequence:
        uid = str(contour.ContourImageSequence[0].ReferencedSOPInstanceUID)
        assert [float(z) for z in contour.ContourData[2::3]] == pytest.approx(
            [z_of[uid]] * int(contour.NumberOfContourPoints), abs=2e-3
        )


def check_with_dciodvfy(rtstruct: Path) -> None:
    program = require_program("dciodvfy")
    said = subprocess.run([program, rtstruct], capture_output=True, text=True, check=False).stderr
    assert "RTStructureSet" in said
    assert not [line for line in said.splitlines() if line.startswith("Error")]


def canonical(mask: np.ndarray, ct_paths: list[Path]) -> np.ndarray:
    """plastimatch's grid follows the images; turn it to superior, posterior, left."""
    first = pydicom.dcmread(ct_paths[0], stop_before_pixels=True)
    row = np.asarray([float(v) for v in first.ImageOrientationPatient[:3]])
    column = np.asarray([float(v) for v in first.ImageOrientationPatient[3:]])
    if np.cross(row, column)[2] < 0:
        mask = mask[::-1]
    if column[1] < 0:
        mask = mask[:, ::-1]
    return mask[:, :, ::-1] if row[0] < 0 else mask


def dose_row(physician: Physician, case: Case) -> dict[str, str] | None:
    table = csv.DictReader(io.StringIO(physician.get("/report/dose.csv").decode()))
    rows = [r for r in table if r["case_id"] == case.id and r["mean_difference_gy"]]
    return rows[0] if rows else None
