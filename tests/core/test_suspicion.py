"""A slip is told from an odd patient: known figures in, known sentences out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.geometry import Mask, VolumeGeometry
from core.suspicion import Observed, observe, suspicions
from core.volume import Volume

GEOMETRY = VolumeGeometry((40, 60, 80), (0.0, 0.0, 0.0), (4.0, 4.0, 4.0), "1.2.3")
USUAL = Observed(volume_cc=600.0, left_mm=15.0, back_mm=-10.0, outside_body=0.0)


def ellipsoid(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Mask:
    index = np.moveaxis(np.indices(GEOMETRY.shape), 0, -1)
    return np.asarray((((index - centre) / np.asarray(radii)) ** 2).sum(-1) <= 1.0, bool)


BODY = ellipsoid((19.5, 29.5, 39.5), (1000.0, 25.0, 35.0))
LUNG = ellipsoid((19.5, 29.5, 25.0), (15.0, 15.0, 8.0))
CT = Volume(np.where(BODY & ~LUNG, 40, -1000).astype(np.int16), GEOMETRY)
HEART = ellipsoid((19.5, 29.5, 45.5), (10.0, 8.0, 8.0))
"""24 mm to the left of the middle, about 170 cc."""


def told(mask: Mask, *, predicted: Mask | None = None, expected: float = 0.9) -> list[str]:
    found = observe(mask, CT, predicted=predicted, expected_dice=expected)
    return suspicions(found, [], "Heart")


def test_where_a_structure_lies_is_measured_from_the_middle_of_the_filled_body() -> None:
    found = observe(HEART, CT)
    assert found.volume_cc == pytest.approx(HEART.sum() * 0.064)
    assert found.left_mm == pytest.approx(24.0, abs=0.1)
    assert found.back_mm == pytest.approx(0.0, abs=0.1)
    assert found.outside_body == 0.0
    in_lung = observe(LUNG, CT)
    assert in_lung.outside_body == 0.0


def test_an_ordinary_correction_of_a_good_prediction_is_not_suspicious() -> None:
    assert told(HEART) == []
    shaved = HEART & (np.arange(80) < 50)
    assert told(shaved, predicted=HEART) == []


def test_a_label_on_the_wrong_side_is_told_with_and_without_a_prediction() -> None:
    # Like two balls of radius 8 that lie 12 apart: 1 - 3/4 * 1.5 + 1.5 ** 3 / 16 = 0.086.
    flipped = HEART[:, :, ::-1]
    (side, sure) = told(flipped)[0], told(flipped, predicted=HEART)
    assert side == "Heart lies 24 mm to the right of the middle of the body."
    assert sure[0] == (
        "Heart looks flipped left to right: its mirror image has a Dice of 1.00 with the "
        "prediction, it itself 0.09."
    )
    assert "Dice of 0.09 to the prediction, of which the model was sure" in sure[-1]


def test_a_structure_that_is_no_heart_is_told_apart_by_the_side_of_the_others() -> None:
    right = Observed(volume_cc=600.0, left_mm=-20.0)
    others = [replace(USUAL, left_mm=mm) for mm in (10.0, 12.0, 20.0, 25.0)]
    assert suspicions(right, others, "Kidney_L") == []
    others.append(replace(USUAL, left_mm=30.0))
    (said,) = suspicions(right, others, "Kidney_L")
    assert said == "Kidney_L lies on the other side than 5 of 5 approved before."
    assert suspicions(replace(right, left_mm=-7.0), others, "Kidney_L") == []


def test_a_structure_that_the_review_nearly_emptied_is_told() -> None:
    sliver = HEART & (np.arange(40) == 19)[:, None, None] & (np.arange(80) < 45)
    said = told(sliver, predicted=HEART)
    assert f"Heart is nearly emptied: {sliver.sum() * 0.064:.1f} cc of" in said[0]
    assert suspicions(Observed(volume_cc=0.0), [], "Lung_L") == ["Lung_L is empty."]


@pytest.mark.parametrize("volume_cc", [4.9, 2501.0])
def test_no_heart_is_that_small_or_large(volume_cc: float) -> None:
    (said,) = suspicions(Observed(volume_cc=volume_cc), [], "Heart")
    assert said == f"Heart has {volume_cc:.1f} cc; hearts have 5 to 2500 cc."
    assert suspicions(Observed(volume_cc=volume_cc), [], "Lung_L") == []


def test_a_volume_is_an_outlier_only_against_enough_others() -> None:
    others = [replace(USUAL, volume_cc=cc) for cc in (500, 550, 600, 600, 650, 700, 720)]
    small = replace(USUAL, volume_cc=150.0)
    assert suspicions(small, others, "Heart") == []
    others.append(replace(USUAL, volume_cc=610.0))
    (said,) = suspicions(small, others, "Heart")
    # ln(605 / 150) = 1.395 over the least spread of 0.15, times 0.6745.
    assert said == "Heart has 150.0 cc, 8 approved before about 605 cc (robust z 6.3)."
    assert suspicions(replace(USUAL, volume_cc=300.0), others, "Heart") == []


def test_a_place_is_an_outlier_only_beyond_what_patients_differ() -> None:
    others = [USUAL] * 8
    (said,) = suspicions(replace(USUAL, back_mm=30.0), others, "Heart")
    assert said == (
        "Heart lies 40 mm too far to the front or back of where 8 approved before lie "
        "(robust z 5.4)."
    )
    assert suspicions(replace(USUAL, back_mm=10.0), others, "Heart") == []


def test_a_mask_outside_the_body_is_told() -> None:
    beside = ellipsoid((19.5, 3.0, 8.0), (8.0, 8.0, 8.0))
    assert any("of Heart lies outside the body." in said for said in told(beside | HEART))


def test_without_a_body_in_the_scan_nothing_is_said_of_places() -> None:
    air = Volume(np.full(GEOMETRY.shape, -1000, np.int16), GEOMETRY)
    found = observe(HEART, air)
    assert (found.left_mm, found.outside_body) == (None, None)


def test_a_prediction_that_was_not_sure_may_be_corrected_far() -> None:
    elsewhere = ellipsoid((19.5, 45.0, 45.5), (10.0, 8.0, 8.0))
    sure, unsure = told(HEART, predicted=elsewhere), told(HEART, predicted=elsewhere, expected=0.5)
    assert len(sure) == 1
    assert "of which the model was sure (expected 0.90)" in sure[0]
    assert unsure == []
