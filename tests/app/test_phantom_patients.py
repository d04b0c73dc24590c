"""What synthetic patients show is what was asked for: phases, findings, views; one patient."""

import numpy as np
import pytest
from scipy import ndimage

from app.phantom import Phantom, make_phantom, phantom_dose
from app.phantom_patient import Finding
from core.geometry import Mask
from core.resample import resample
from core.volume import Volume
from model.preprocess import dice

SPACING_MM = (3.0, 3.0, 3.0)
COARSE_MM = (6.0, 6.0, 6.0)
TINY_MM = (8.0, 8.0, 8.0)


def _hu(phantom: Phantom, where: Mask) -> np.ndarray:
    return phantom.volume.values[where].astype(float)


def _depth_mm(mask: Mask, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    return ndimage.distance_transform_edt(mask, sampling=spacing_mm)


def _with_and_without(finding: Finding) -> tuple[list[Finding], list[Finding]]:
    return [finding], []


def _heights_mm(phantom: Phantom) -> np.ndarray:
    """The height of every slice in the patient."""
    geometry = phantom.volume.geometry
    return np.array([geometry.index_to_mm((i, 0, 0))[2] for i in range(geometry.shape[0])])


def test_hearts_have_the_volumes_of_hearts():
    volumes_cc = []
    for seed in range(24):
        phantom = make_phantom(seed, spacing_mm=TINY_MM)
        volumes_cc.append(phantom.volume.geometry.volume_cc(phantom.heart))
    assert min(volumes_cc) > 300
    assert max(volumes_cc) < 1500
    # Contoured for radiotherapy, hearts have about 500 to 900 cc.
    assert 550 < np.median(volumes_cc) < 850
    assert np.std(volumes_cc) > 100


def test_a_heart_is_the_same_on_two_grids():
    fine, coarse = (
        make_phantom(31, spacing_mm=mm, frame_of_reference_uid="2.25.7")
        for mm in (SPACING_MM, (5.0, 4.0, 4.0))
    )
    geometry = coarse.volume.geometry
    onto = resample(
        Volume(fine.heart.astype(np.float32), fine.volume.geometry), geometry, outside=0
    )
    assert dice(onto.values > 0.5, coarse.heart) > 0.95


@pytest.mark.parametrize(
    ("phase", "low_hu", "high_hu"),
    [
        ("none", 20, 70),
        ("pulmonary", 180, 650),
        ("arterial", 150, 560),
        ("venous", 95, 230),
        ("late", 65, 150),
    ],
)
@pytest.mark.parametrize("seed", [41, 42])
def test_blood_is_as_bright_as_its_phase(seed, phase, low_hu, high_hu):
    phantom = make_phantom(seed, spacing_mm=COARSE_MM, contrast=phase, findings=(), tumour=False)
    blood_hu = np.percentile(_hu(phantom, _depth_mm(phantom.heart, COARSE_MM) > 10), 85)
    assert low_hu < blood_hu < high_hu
    assert phantom.facts["phase"] == phase
    assert phantom.facts["contrast"] is (phase != "none")


def test_in_the_pulmonary_phase_the_right_heart_is_the_brighter_one():
    difference_hu = []
    for seed in range(4):
        phantom = make_phantom(seed, spacing_mm=TINY_MM, contrast="pulmonary", findings=())
        inside = _depth_mm(phantom.heart, TINY_MM) > 8
        low, high = np.percentile(np.argwhere(inside)[:, 2], [30, 70])
        across = np.arange(inside.shape[2])
        right, left = inside & (across < low), inside & (across > high)
        bright = [np.percentile(_hu(phantom, side), 75) for side in (right, left)]
        difference_hu.append(bright[0] - bright[1])
    assert np.mean(difference_hu) > 60


@pytest.mark.parametrize("view", ["abdomen", "neck"])
@pytest.mark.parametrize("seed", range(6))
def test_a_view_without_a_heart_holds_none_of_the_patients_heart(view, seed):
    apart = make_phantom(seed, spacing_mm=TINY_MM, view=view)
    whole = make_phantom(seed, spacing_mm=TINY_MM)
    assert not apart.heart.any()
    with_heart_mm = _heights_mm(whole)[whole.heart.any((1, 2))]
    seen_mm = _heights_mm(apart)
    assert not np.any((seen_mm > with_heart_mm.min()) & (seen_mm < with_heart_mm.max()))
    assert (apart.volume.values > 0).mean() > 0.05
    with pytest.raises(ValueError, match="no heart"):
        phantom_dose(apart)


@pytest.mark.parametrize(("view", "last"), [("heart_cut_above", -1), ("heart_cut_below", 0)])
@pytest.mark.parametrize("seed", range(4))
def test_a_scan_that_ends_within_the_heart_shows_a_part_of_it(view, last, seed):
    part, whole = (make_phantom(seed, spacing_mm=TINY_MM, view=v) for v in (view, "chest"))
    assert part.heart[last].any()
    assert not part.heart[-1 - last].any()
    share = part.heart.sum() / whole.heart.sum()
    assert 0.05 < share < 0.97


def test_a_pericardial_effusion_surrounds_the_heart_within_the_contour():
    with_fluid, without = (
        make_phantom(44, spacing_mm=SPACING_MM, contrast="venous", tumour=False, findings=found)
        for found in _with_and_without("pericardial effusion")
    )
    depth_mm = _depth_mm(with_fluid.heart, SPACING_MM)
    z, y, x = np.argwhere(with_fluid.heart).mean(0)
    slices, rows, columns = np.indices(with_fluid.heart.shape)
    shell = (depth_mm > 2.5) & (depth_mm < 6) & (slices < z)
    for side in (rows < y, rows > y, columns < x, columns > x):
        assert 0 < np.median(_hu(with_fluid, shell & side)) < 50
    assert np.median(_hu(without, (_depth_mm(without.heart, SPACING_MM) > 8))) > 70
    deep = depth_mm > 24
    assert np.median(_hu(with_fluid, deep)) > 70


def test_fat_lies_between_heart_and_diaphragm():
    spacing_mm = (2.0, 4.0, 4.0)
    phantom = make_phantom(45, spacing_mm=spacing_mm, findings=["obese"], contrast="venous")
    lowest = np.argmax(phantom.heart, axis=0)
    core = ndimage.binary_erosion(np.asarray(phantom.heart.any(0)), iterations=5)
    values = phantom.volume.values
    under = np.array(
        [
            values[max(lowest[r, c] - 6, 0) : lowest[r, c] + 4, r, c].min()
            for r, c in np.argwhere(core)
        ]
    )
    below = np.array([values[max(lowest[r, c] - 14, 0), r, c] for r, c in np.argwhere(core)])
    assert np.median(under) < -25
    assert np.median(below) > 0


def test_a_pacemaker_leaves_streaks_in_its_slices_alone():
    with_it, without = (
        make_phantom(46, spacing_mm=COARSE_MM, findings=found, contrast=False)
        for found in _with_and_without("pacemaker")
    )
    metal = with_it.volume.values > 1800
    assert metal.any()
    assert not (without.volume.values > 1800).any()
    far = ndimage.distance_transform_edt(~metal, sampling=COARSE_MM) > 18
    change = np.abs(with_it.volume.values.astype(int) - without.volume.values)
    streaked = ((change > 40) & far).sum((1, 2))
    assert streaked.max() > 100
    assert (streaked == 0).mean() > 0.3
    np.testing.assert_array_equal(with_it.heart, without.heart)


def test_an_unknown_finding_is_refused():
    with pytest.raises(ValueError, match="unknown findings"):
        make_phantom(1, spacing_mm=TINY_MM, findings=("cold",))  # type: ignore[arg-type]
