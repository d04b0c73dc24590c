"""Two structures on one CT, one after the other: the whole node, Orthanc as the TPS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from app.clinic import wait_for
from core.case import CaseState
from core.rasterise import mask_of_contours
from core.store import open_store
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.rtstruct_reader import read_structure_set
from tests.support.node import running_node
from tests.support.orthanc import running_orthanc
from tests.support.settings import REPOSITORY, free_port
from tests.support.synthetic_dicom import ct_series, written

SHAPE = (8, 30, 30)
HEART = np.zeros(SHAPE, bool)
HEART[2:6, 8:22, 6:22] = True
GULLET = np.zeros(SHAPE, bool)
GULLET[1:7, 23:26, 12:15] = True


@pytest.mark.slow
@pytest.mark.peer
def test_each_structure_reaches_the_tps_as_it_was_approved_and_teaches_its_own_model(
    tmp_path: Path,
) -> None:
    tps_port = free_port()
    heart = yaml.safe_load((REPOSITORY / "config.yaml").read_text())["structures"][0]
    gullet = {"name": "Esophagus", "interpreted_type": "ORGAN", "colour": [140, 200, 120]}
    rule = {"name": "thorax", "structures": ["Heart", "Esophagus"], "destinations": ["TPS"]}
    with (
        running_node(
            tmp_path, tps_port, structures=[heart, {**heart, **gullet, "code": None}], rules=[rule]
        ) as node,
        running_orthanc(
            tmp_path / "tps",
            node_ae_title="RECONTOUR",
            node_port=node.settings.dicom.port,
            dicom_port=tps_port,
        ) as tps,
    ):
        store = open_store(node.settings)
        paths = written(ct_series(shape=SHAPE, spacing_mm=(3.0, 2.0, 2.0)), tmp_path / "pushed")
        tps.push([tps.upload(path) for path in paths], "NODE")
        case = wait_for(
            lambda: next(iter(store.cases.all(states={CaseState.ASSEMBLED})), None),
            timeout_s=60,
            what="a case with a volume",
        )
        physician = node.physician()
        physician.correct(case.id, HEART)
        physician.post_json(f"/api/cases/{case.id}/turn", {"roi": "Esophagus"})
        physician.correct(case.id, GULLET)
        wait_for(
            lambda: len(tps.instances_of_modality("RTSTRUCT")) == 2,
            timeout_s=60,
            what="both structure sets at the TPS",
        )
        wait_for(
            lambda: store.cases.get(case.id).state is CaseState.DELIVERED,
            timeout_s=60,
            what="the node to know it",
        )
        geometry = read_ct(paths).volume.geometry
        arrived = {}
        for number, instance in enumerate(tps.instances_of_modality("RTSTRUCT")):
            path = tmp_path / f"arrived-{number}.dcm"
            path.write_bytes(tps.file(instance))
            found = read_structure_set(path)
            (roi,) = found.rois
            points = [contour.points_mm for contour in roi.contours]
            arrived[found.label] = (roi.roi_name, mask_of_contours(points, geometry).mask)
        assert {label: name for label, (name, _) in arrived.items()} == {
            "Heart": "Heart",
            "Esophagus": "Esophagus",
        }
        np.testing.assert_array_equal(arrived["Heart"][1], HEART)
        np.testing.assert_array_equal(arrived["Esophagus"][1], GULLET)
        for name in arrived:
            wait_for(
                lambda name=name: store.learning.learning_set(name).ids(),  # type: ignore[misc]
                timeout_s=60,
                what=f"the {name} to be learned from",
            )
