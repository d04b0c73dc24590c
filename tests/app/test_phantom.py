"""The synthetic CT is what it says: same patient on any grid, whole heart, known origin."""

import numpy as np
import pytest

from app.phantom import make_phantom, phantom_dose

COARSE_MM = (6.0, 6.0, 6.0)


def test_the_same_seed_gives_the_same_voxels():
    one, two = (make_phantom(3, spacing_mm=COARSE_MM) for _ in range(2))
    assert one.volume.geometry == two.volume.geometry
    np.testing.assert_array_equal(one.volume.values, two.volume.values)
    np.testing.assert_array_equal(one.heart, two.heart)
    assert make_phantom(4, spacing_mm=COARSE_MM).facts != one.facts


def test_the_same_patient_lies_on_a_fine_and_a_coarse_grid():
    coarse, fine = (make_phantom(5, spacing_mm=mm) for mm in (COARSE_MM, (3.0, 3.0, 3.0)))
    volumes_cc = [p.volume.geometry.volume_cc(p.heart) for p in (coarse, fine)]
    assert volumes_cc[0] == pytest.approx(volumes_cc[1], rel=0.02)
    middles = [p.volume.geometry.index_to_mm(np.argwhere(p.heart)).mean(0) for p in (coarse, fine)]
    # Origins are rounded to 0.1 mm and the extents to whole voxels.
    np.testing.assert_allclose(middles[0], middles[1], atol=6.0)


@pytest.mark.parametrize("seed", range(6))
def test_the_whole_heart_of_human_size_lies_inside_the_scan(seed):
    phantom = make_phantom(seed, spacing_mm=COARSE_MM)
    assert phantom.volume.values.dtype == np.int16
    assert 250 < phantom.volume.geometry.volume_cc(phantom.heart) < 1500
    for axis in range(3):
        faces = np.take(phantom.heart, [0, -1], axis=axis)
        assert not faces.any()
    assert phantom.facts["synthetic"] is True


def test_the_heart_lies_left_and_in_front_of_the_spine():
    phantom = make_phantom(1, spacing_mm=COARSE_MM, contrast=False)
    bone = np.argwhere(phantom.volume.values > 250).mean(0)
    heart = np.argwhere(phantom.heart).mean(0)
    assert heart[1] < bone[1]
    assert heart[2] > bone[2]


def test_a_given_frame_of_reference_and_shape_are_kept():
    uid = "2.25.42"
    phantom = make_phantom(2, spacing_mm=COARSE_MM, shape=(30, 40, 50), frame_of_reference_uid=uid)
    assert phantom.volume.geometry.shape == (30, 40, 50)
    assert phantom.volume.geometry.frame_of_reference_uid == uid
    assert phantom.heart.any()


def test_the_dose_covers_the_heart_on_its_own_grid_with_a_steep_gradient():
    phantom = make_phantom(6, spacing_mm=(3.0, 3.0, 3.0))
    dose = phantom_dose(phantom, prescription_gy=40.0)
    ct = phantom.volume.geometry
    assert dose.values.dtype == np.float32
    assert dose.geometry.frame_of_reference_uid == ct.frame_of_reference_uid
    heart_mm = ct.index_to_mm(np.argwhere(phantom.heart))
    index = dose.geometry.mm_to_index(heart_mm)
    assert index.min() >= 0
    assert np.all(index <= np.asarray(dose.geometry.shape) - 1)
    in_heart_gy = dose.values[tuple(np.rint(index).astype(int).T)]
    assert 2.0 < in_heart_gy.mean() < 12.0
    assert in_heart_gy.max() > 36.0
    assert np.percentile(in_heart_gy, 50) < 4.0
    # The dose grid's voxel centres are not the CT's.
    first = ct.mm_to_index(dose.geometry.origin_mm)
    assert np.abs(first - np.rint(first)).max() > 0.1
