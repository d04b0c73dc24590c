"""The TPS goes on with what it got, and sends it back: the whole node, Orthanc as the TPS."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from app.clinic import wait_for
from core.case import CaseState
from core.records import Case
from core.store import open_store
from dose.difference import dice
from tests.support.node import running_node
from tests.support.orthanc import running_orthanc
from tests.support.settings import free_port
from tests.support.synthetic_dicom import ct_series, encoded, rtdose, written

SHAPE = (8, 30, 30)
HEART = np.zeros(SHAPE, bool)
HEART[2:6, 8:22, 6:22] = True
RULE = {"name": "thorax", "when": {"calling_ae_title": "TPS"}, "returning": "learn"}
TARGETS = {"structures": ["Heart"], "destinations": ["TPS"], "priority": "urgent"}


def without_its_lowest_slice(rtstruct: bytes) -> bytes:
    """The heart as somebody leaves it in the TPS: one contour deleted, a new object."""
    ds = dcmread(io.BytesIO(rtstruct))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.SeriesInstanceUID = generate_uid()
    del ds.ROIContourSequence[0].ContourSequence[0]
    return encoded(ds)


@pytest.mark.slow
@pytest.mark.peer
def test_an_edit_in_the_tps_comes_back_and_is_what_the_model_learns_from(tmp_path: Path) -> None:
    tps_port = free_port()
    with (
        running_node(tmp_path, tps_port, rules=[{**RULE, **TARGETS}]) as node,
        running_orthanc(
            tmp_path / "tps",
            node_ae_title="RECONTOUR",
            node_port=node.settings.dicom.port,
            dicom_port=tps_port,
        ) as tps,
    ):
        store = open_store(node.settings)
        ct = ct_series(shape=SHAPE, spacing_mm=(3.0, 2.0, 2.0))
        dose = rtdose(
            lambda x, y, z: 20.0 + z, shape=(12, 14, 14), spacing_mm=(3.0, 5.0, 5.0), ct=ct[0]
        )
        paths = written([*ct, dose], tmp_path / "pushed")
        tps.push([tps.upload(path) for path in paths], "NODE")

        def case_in(state: CaseState) -> Case:
            found: Case = wait_for(
                lambda: next(iter(store.cases.all(states={state})), None),
                timeout_s=60,
                what=f"a case that is {state}",
            )
            return found

        case = case_in(CaseState.ASSEMBLED)
        assert case.routing is not None
        assert case.routing.because == "calling_ae_title fits TPS"
        physician = node.physician()
        assert physician.worklist()[0]["urgent"]
        physician.correct(case.id, HEART)
        case = case_in(CaseState.DELIVERED)

        (delivered,) = tps.instances_of_modality("RTSTRUCT")
        edited = tmp_path / "edited.dcm"
        edited.write_bytes(without_its_lowest_slice(tps.file(delivered)))
        tps.push([tps.upload(edited)], "NODE")
        (back,) = wait_for(store.returned.all, timeout_s=60, what="the edited structure set")
        wanted = HEART.copy()
        wanted[2] = False
        assert back.note == ""
        assert back.dice == pytest.approx(dice(HEART, wanted))
        (correction,) = wait_for(  # the trainer looks at it before it is learned from
            lambda: [c for c in store.learning.learning_set("Heart").train if c.id == back.became],
            timeout_s=60,
            what="the edit to be what is learned from",
        )
        assert correction.approved_by == "TPS"
        learned = store.files.read_mask(case.id, f"correction-{correction.id}")
        np.testing.assert_array_equal(learned, wanted)
        figures = wait_for(
            lambda: [f for f in store.cases.dose_figures(case.id) if f.source_id == back.became],
            timeout_s=60,
            what="the dose of what came back",
        )
        # 3 mm of a rise of 1 Gy/mm less at the lower end: the mean moves up by half of it.
        before = next(f for f in store.cases.dose_figures(case.id) if f.source_id != back.became)
        assert figures[0].mean_gy - before.mean_gy == pytest.approx(1.5, abs=0.01)
        assert len(store.deliveries.all()) == 1
        page = physician.get(f"/cases/{case.id}").decode()
        assert "Heart came back edited" in page
        assert "learned from." in page
