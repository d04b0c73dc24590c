"""The DVHs beside a dose: what they say in gray and cc, or why they are not compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from core.tps_dvh import TpsDvhs, TpsFigure
from dicom_node.objects.ct_reader import read_ct
from dicom_node.objects.dvh_reader import read_dvhs
from dicom_node.objects.rtdose_reader import read_dose
from dicom_node.objects.rtstruct_reader import read_structure_set
from dose.self_check import Tolerance, compare_with_tps
from tests.support.shared_data import shared_data
from tests.support.synthetic_dicom import rtdose, uid
from tests.support.tps_dvhs import dvh, with_dvhs


def said(*dvhs: Dataset) -> tuple[TpsFigure, ...]:
    dose = rtdose(lambda x, y, z: 1.0 + 0.0 * x + 0.0 * y + 0.0 * z, shape=(2, 3, 3))
    found = read_dvhs(with_dvhs(dose, dvhs, uid("structures")))
    assert found is not None
    assert TpsDvhs.from_json(found.to_json()) == found
    return found.figures


@pytest.mark.parametrize("kind", ["CUMULATIVE", "DIFFERENTIAL"])
@pytest.mark.parametrize("scaling", [1.0, 0.01])
def test_a_curve_tells_mean_and_volume_within_a_bin(kind: str, scaling: float) -> None:
    (found,) = said(dvh(7, 5.0, 123.0, kind=kind, scaling=scaling, bin_gy=0.1))
    assert found.roi_number == 7
    assert found.volume_cc == pytest.approx(123.0)
    assert found.bin_gy == pytest.approx(0.1)
    assert found.mean_gy == pytest.approx(5.0, abs=0.1)


def test_a_stated_mean_that_the_curve_bears_out_is_exact() -> None:
    (found,) = said(dvh(1, 5.0, 10.0, stated=(5.003, 5.005)))
    assert (found.mean_gy, found.bin_gy) == (5.003, 0.0)


def test_doses_stated_in_percent_of_the_prescription_are_seen_beside_a_curve_in_gray() -> None:
    """Eclipse: of 20 Gy prescribed the hottest structure gets 20 Gy, another one 5 Gy."""
    hot, cool = said(
        dvh(1, 20.0, 10.0, stated=(100.0, 100.0)), dvh(2, 5.0, 10.0, stated=(25.0, 25.0))
    )
    assert hot.mean_gy == pytest.approx(20.0, rel=3e-4)
    assert cool.mean_gy == pytest.approx(5.0, rel=3e-4)
    assert (hot.bin_gy, cool.bin_gy) == (0.0, 0.0)


def test_a_stated_mean_that_contradicts_the_curve_is_not_believed() -> None:
    (found,) = said(dvh(1, 5.0, 10.0, stated=(8.0, 5.0)))
    assert found.mean_gy == pytest.approx(5.0, abs=0.01)
    assert found.bin_gy == 0.01


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"DVHType": "NATURAL"}, "DVHType of the DVH is NATURAL; expected CUMULATIVE or DIFF"),
        ({"DoseUnits": "RELATIVE"}, "DoseUnits of the DVH is RELATIVE; expected GY"),
        ({"DoseType": "EFFECTIVE"}, "DoseType of the DVH is EFFECTIVE; expected PHYSICAL"),
        ({"DVHVolumeUnits": "PER_U"}, "DVHVolumeUnits of the DVH is PER_U; expected CM3"),
        ({"DVHData": [0.1, 3.0, 0.1]}, "odd number"),
        ({"DVHData": [0.1, 0.0]}, "no volume"),
        ({"DVHDoseScaling": None}, "DVHDoseScaling"),
    ],
)
def test_an_odd_dvh_says_why_it_is_not_compared(change: dict[str, Any], told: str) -> None:
    odd = dvh(1, 5.0, 10.0)
    for keyword, value in change.items():
        setattr(odd, keyword, value)
    first, second = said(odd, dvh(2, 5.0, 10.0))
    assert told in first.obstacle
    assert first.mean_gy is None
    assert second.mean_gy == pytest.approx(5.0, abs=0.01)


def test_a_dvh_in_percent_has_a_mean_and_no_volume() -> None:
    relative = dvh(1, 5.0, 100.0)
    relative.DVHVolumeUnits = "PERCENT"
    (found,) = said(relative)
    assert found.mean_gy == pytest.approx(5.0, abs=0.01)
    assert found.volume_cc is None


def test_of_several_rois_or_of_what_is_left_out_there_is_no_figure() -> None:
    union, without = dvh(1, 5.0, 10.0), dvh(1, 5.0, 10.0)
    union.DVHReferencedROISequence.append(dvh(2, 5.0, 1.0).DVHReferencedROISequence[0])
    without.DVHReferencedROISequence[0].DVHROIContributionType = "EXCLUDED"
    assert said(union, without) == ()


def test_a_dose_without_dvhs_says_nothing() -> None:
    assert read_dvhs(rtdose(lambda x, y, z: 1.0 + 0.0 * (x + y + z), shape=(2, 3, 3))) is None


def test_our_figures_of_a_real_eclipse_plan_are_eclipses_own() -> None:
    """Known from DVH Mean Dose in percent of 14 Gy; a heart for a lung would not pass."""
    folder = shared_data("eclipse-breast-dicompyler")
    said = read_dvhs(dcmread(folder / "rtdose.dcm"))
    assert said is not None
    dose = read_dose(folder / "rtdose.dcm").volume
    ct = read_ct(sorted((folder / "CT_synthetic").glob("*.dcm"))).geometry
    drawn = read_structure_set(
        folder / "rtss.dcm", frame_of_reference_uid=ct.frame_of_reference_uid
    )
    assert drawn.sop_instance_uid == said.structure_set_uid
    rois = {roi.roi_number: roi for roi in drawn.rois}
    tolerance = Tolerance(mean_percent=1.0, mean_gy=1e-6, volume_percent=5.0)
    found = {
        rois[one.roi_number].roi_name: compare_with_tps(
            dose, ct, rois[one.roi_number], one, tolerance
        )
        for one in said.figures
    }
    assert found.pop("BODY").obstacle == "It reaches beyond the dose grid."
    assert len(found) == 8
    assert not any(one.mean_differs or one.volume_differs for one in found.values())
    heart = next(one for name, one in found.items() if name.casefold() == "heart")
    assert heart.tps_mean_gy == pytest.approx(0.64756, rel=2e-3)
    assert np.isclose(heart.mean_gy or 0.0, 0.64756, rtol=5e-3)
    lung = next(one for one in said.figures if rois[one.roi_number].roi_name == "Lt Lung")
    heart_roi = next(roi for roi in rois.values() if roi.roi_name.casefold() == "heart")
    mistaken = compare_with_tps(dose, ct, heart_roi, lung, tolerance)
    assert mistaken.mean_differs
    assert mistaken.volume_differs
