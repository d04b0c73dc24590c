"""Before against after, with known answers."""

import numpy as np
import pytest

from core.errors import GeometryMismatchError
from dose.difference import dice, dose_difference
from tests.dose.grids import filled, grid

CT = grid((4, 10, 10), (2.0, 1.0, 1.0))


def test_dice_of_blocks_that_share_half() -> None:
    a, b = np.zeros((2, CT.shape[0], 10, 10), bool)
    a[:, :, 0:4] = True
    b[:, :, 2:6] = True
    assert dice(a, b) == 0.5
    assert dice(a, a) == 1.0
    assert dice(a, ~a) == 0.0


def test_two_empty_masks_agree() -> None:
    assert dice(np.zeros(CT.shape, bool), np.zeros(CT.shape, bool)) == 1.0


def test_masks_of_two_grids_are_not_compared() -> None:
    with pytest.raises(GeometryMismatchError, match="different grids"):
        dice(np.zeros((2, 2, 2), bool), np.zeros((2, 2, 3), bool))


def test_moving_a_block_up_a_ramp_changes_the_mean_by_the_way_times_the_slope() -> None:
    dose = filled(grid((6, 8, 8), (3.0, 2.0, 2.0)), lambda p: 0.5 * p[..., 0])
    predicted, corrected = np.zeros((2, *CT.shape), bool)
    predicted[:, :, 0:4] = True
    corrected[:, :, 2:8] = True
    difference = dose_difference(dose, predicted, corrected, CT)
    assert difference.mean_difference_gy == pytest.approx(0.5 * 3.0)
    assert difference.volume_difference_cc == pytest.approx(4 * 10 * 2 * 0.002)
    assert difference.dice == pytest.approx(2 * 2 / (4 + 6))


def test_without_a_prediction_there_is_no_difference() -> None:
    dose = filled(grid((6, 8, 8), (3.0, 2.0, 2.0)), lambda p: p[..., 0])
    corrected = np.ones(CT.shape, bool)
    difference = dose_difference(dose, np.zeros(CT.shape, bool), corrected, CT)
    assert difference.mean_difference_gy is None
    assert difference.corrected.mean_gy == pytest.approx(4.5)
